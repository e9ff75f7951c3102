"""What an import of TensorFlow brought is told from what came beside it, and the import is as ever."""

from __future__ import annotations

import json
import sys

import pytest
from factories import printed, printed_from_start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="Linux's names of libraries are looked for"),
]

TELL = """
    import json
    record = libraries_record(sample=False)
    print(json.dumps({one["name"].split(".")[0]: one["occasion"] for one in record["libraries"]}))
"""
WATCH = """
    import sys
    from tfmagic.runtime.libraries.timeline import libraries
    from tfmagic.runtime.custom_ops.libraries_report import libraries_record
    from tfmagic.runtime.startup.importing import ignore_import, watch_import
    libraries()
    watch_import()
"""


def test_module_is_as_if_nobody_had_watched_and_what_came_with_it_is_told_from_what_came_beside_it() -> None:
    lines = printed_from_start(f"""{WATCH}
    watch_import()
    import _decimal
    import importlib.util
    before = importlib.util.find_spec("tensorflow")
    print(before.loader.get_filename("tensorflow") == before.origin)
    import tensorflow as tf
    import _lsprof
    ignore_import()
    print([type(one).__name__ for one in sys.meta_path if "tfmagic" in type(one).__module__])
    print(type(tf.__loader__).__name__, type(tf.__spec__.loader).__name__, tf.__spec__.origin == tf.__file__)
    from importlib import resources
    print((resources.files("tensorflow") / "__init__.py").is_file())
    import pickle, inspect
    print("TensorFlow" in inspect.getsource(tf))
    {TELL}""")
    assert lines[:-1] == ["True", "[]", "SourceFileLoader SourceFileLoader True", "True", "True"]
    occasions = json.loads(lines[-1])
    # What was imported before and after in the same cell is not TensorFlow's.
    assert (occasions["_decimal"], occasions["_lsprof"]) == ("other", "other")
    assert occasions["libtensorflow_framework"] == occasions["libtensorflow_cc"] == "import of tensorflow"


def test_tensorflow_that_cannot_be_imported_fails_as_ever() -> None:
    assert printed_from_start(f"""{WATCH}
    sys.modules["tensorflow"] = None
    try:
        import tensorflow
    except ImportError as error:
        print(type(error).__name__)
    del sys.modules["tensorflow"]
    sys.path[:] = []
    sys.meta_path[:] = [one for one in sys.meta_path if "editable" not in str(one)]
    try:
        import tensorflow
    except ImportError as error:
        print(type(error).__name__)
    """) == ["ModuleNotFoundError", "ModuleNotFoundError"]


def test_what_was_there_before_is_the_baseline() -> None:
    lines = printed(f"""
    import tensorflow
    {WATCH}
    ignore_import()
    {TELL}""")
    occasions = json.loads(lines[-1])
    assert occasions["libtensorflow_framework"] == "there before tfmagic"
