"""``%tf_model`` and ``%%tf_run``: parse, call the Python API, show what came back."""
