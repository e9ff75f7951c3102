"""``%tf_model``, ``%%tf_run``, ``%tf_runtime`` and ``%tf_panel``: one file each."""
