"""What importing tfmagic does not do, and what it says where there is no TensorFlow."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from factories import printed_from_start

import tfmagic
from tfmagic.errors import MissingTensorFlowError, TfMagicError
from tfmagic.runtime.startup.importing import require_tensorflow

if TYPE_CHECKING:
    from pathlib import Path

# PathFinder finds what is installed; behind this one, nothing of these names is.
HIDING = """
        import sys

        class Hidden:
            def __init__(self, finder, *names):
                self.finder, self.names = finder, names

            def find_spec(self, name, path=None, target=None):
                return None if name.split(".")[0] in self.names else self.finder.find_spec(name, path, target)

        def hide(*names):
            sys.meta_path[:] = [Hidden(finder, *names) for finder in sys.meta_path if hasattr(finder, "find_spec")]
"""


def test_importing_and_loading_the_extension_import_no_tensorflow() -> None:
    code = """
        import sys
        import tfmagic
        print("tensorflow" in sys.modules, "IPython" in sys.modules, "keras" in sys.modules)
        models = tfmagic.models
        print(len(models), "tensorflow" in sys.modules, "IPython" in sys.modules)
        from IPython.core.interactiveshell import InteractiveShell
        tfmagic.load_ipython_extension(InteractiveShell.instance())
        print("tensorflow" in sys.modules)
    """
    assert printed_from_start(code) == ["False False False", "0 False False", "False"]


@pytest.mark.slow
def test_a_script_runs_models_without_ipython(tmp_path: Path) -> None:
    # Hidden, for Keras imports IPython by itself where it finds it.
    code = (
        HIDING
        + """
        hide("IPython", "ipykernel", "ipywidgets", "traitlets")
        import tensorflow as tf
        from tfmagic import models, session
        graph = tf.Graph()
        with graph.as_default():
            x = tf.compat.v1.placeholder(tf.float32, [None], "x")
            tf.multiply(x, 2.0, name="y")
        with open(sys.argv[1], "wb") as file:
            file.write(graph.as_graph_def().SerializeToString())
        print(models.add("net", sys.argv[1])([1.0, 2.0]))
        print(models.net.run(x=[3.0]).y, session)
        print([name for name in sys.modules if name.split(".")[0] in {"IPython", "ipykernel", "traitlets"}])
    """
    )
    assert printed_from_start(code, str(tmp_path / "net.pb")) == [
        "[2. 4.]",
        "[6.] <KernelSession, 1 graph open: model 'net'>",
        "[]",
    ]


def test_without_tensorflow_the_error_names_the_extra() -> None:
    code = (
        HIDING
        + """
        hide("tensorflow")
        import tfmagic
        print(len(tfmagic.models))
        for what in (
            lambda: tfmagic.session,
            lambda: tfmagic.open_session,
            lambda: tfmagic.models.add("net", "/"),
            lambda: tfmagic.models.inspect("/"),
        ):
            try:
                what()
            except ImportError as error:
                print(type(error).__name__, error)
    """
    )
    lines = printed_from_start(code)
    assert lines[0] == "0"
    assert len(lines) == 5
    for line in lines[1:]:
        assert line.startswith("MissingTensorFlowError tfmagic needs TensorFlow and none is installed here: pip ")
        assert "'tfmagic[cpu]'" in line


def _stand_in(folder: Path, text: str) -> None:
    (folder / "tensorflow").mkdir()
    (folder / "tensorflow" / "__init__.py").write_text(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("__version__ = '2.15.1'\n", "tfmagic needs TensorFlow 2.16 or newer, this is 2.15.1"),
        ("raise ImportError('libcuda.so.1: no such file')\n", "cannot be imported (libcuda.so.1: no such file)"),
        ("", "cannot be imported"),
    ],
)
def test_a_tensorflow_that_is_old_or_broken_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    _stand_in(tmp_path, text)
    code = """
        import sys
        sys.path.insert(0, sys.argv[1])
        import tfmagic
        try:
            tfmagic.session
        except ImportError as error:
            print(type(error).__name__, error)
    """
    (line,) = printed_from_start(code, str(tmp_path))
    assert line.startswith("MissingTensorFlowError ")
    assert said in line


def test_with_tensorflow_nothing_is_said() -> None:
    require_tensorflow()
    assert "tensorflow" in sys.modules
    assert issubclass(MissingTensorFlowError, TfMagicError)


def test_a_public_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing_such'"):
        tfmagic.nothing_such  # noqa: B018
    for name in tfmagic.__all__:
        assert getattr(tfmagic, name) is not None
