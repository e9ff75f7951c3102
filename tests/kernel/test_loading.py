"""``%load_ext``, ``%unload_ext`` and ``%reload_ext``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.cells import LINE
from kernel.harness import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel

LEFT_BEHIND = """
import sys
import threading

import psutil
from traitlets.config import Config

def left_behind():
    shell = get_ipython()
    manager = shell.magics_manager
    return {
        "magics": sorted(
            kind + "/" + name
            for kind, table in manager.magics.items()
            for name, magic in table.items()
            if type(getattr(magic, "__self__", magic)).__module__.startswith("tfmagic")
        ),
        "registry": [name for name, one in manager.registry.items() if type(one).__module__.startswith("tfmagic")],
        "configurables": [
            type(one).__name__ for one in shell.configurables if type(one).__module__.startswith("tfmagic")
        ],
        "hooks": [
            event
            for event, calls in shell.events.callbacks.items()
            for call in calls
            if getattr(call, "__module__", "").startswith("tfmagic")
        ],
        "comms": [
            type(one).__name__ for one in shell.kernel.comm_manager.comms.values()
            if type(one).__module__.startswith("tfmagic")
        ],
        "finders": [type(one).__name__ for one in sys.meta_path if type(one).__module__.startswith("tfmagic")],
        "threads": [one.name for one in threading.enumerate() if one.name.startswith("tfmagic")],
        "processes": [" ".join(one.cmdline()[3:4]).rpartition("/")[2] for one in psutil.Process().children()],
    }

def wait_for_threads_to_end():
    for thread in threading.enumerate():
        if thread.name.startswith("tfmagic") and thread.name not in {"tfmagic-log", "tfmagic-sampler"}:
            thread.join(60)
"""

NOTHING = (
    "{'magics': [], 'registry': [], 'configurables': [], 'hooks': [], 'comms': [], 'finders': [], "
    "'threads': [], 'processes': []}"
)
ONCE = (
    "{'magics': ['cell/tf_model', 'cell/tf_run', 'line/tf_model', 'line/tf_panel', 'line/tf_run', "
    "'line/tf_runtime'], "
    "'registry': ['TfMagics'], 'configurables': ['TfMagic', 'TfMagics'], 'hooks': ['pre_run_cell', 'post_run_cell'], "
    "'comms': ['Handshake'], 'finders': ['TensorFlowFinder'], "
    "'threads': ['tfmagic-log', 'tfmagic-sampler'], 'processes': ['pump.py']}"
)


@pytest.fixture
def fresh_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel that has loaded nothing yet."""
    kernel = Kernel(tmp_path_factory.mktemp("fresh"), by_itself=True)
    yield kernel
    kernel.stop()


def test_loading_prints_nothing_and_imports_no_tensorflow(fresh_kernel: Kernel) -> None:
    loaded = fresh_kernel.ok("%load_ext tfmagic")
    assert (loaded.stdout, loaded.stderr, loaded.results) == ("", "", [])
    fresh_kernel.ok("import sys")
    assert fresh_kernel.value("'tensorflow' in sys.modules") == "False"


def test_looking_and_asking_for_help_import_no_tensorflow(fresh_kernel: Kernel) -> None:
    fresh_kernel.ok("%load_ext tfmagic\nimport sys")
    fresh_kernel.ok("%tf_model")
    fresh_kernel.ok("%tf_model --help")
    fresh_kernel.ok("%tf_run --help")
    fresh_kernel.ok("%tf_model?")
    fresh_kernel.refused("%tf_run digits [1]")
    assert fresh_kernel.value("'tensorflow' in sys.modules") == "False"


def test_unloading_leaves_nothing_behind(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%tf_run line [[1, 2]]")
    kernel.ok(LEFT_BEHIND)
    kernel.ok("%unload_ext tfmagic\nwait_for_threads_to_end()")
    assert " ".join(kernel.value("left_behind()").split()) == NOTHING
    assert "not found" in kernel.run("%tf_model").stderr


def test_unloading_twice_is_no_error(kernel: Kernel) -> None:
    assert kernel.ok("%unload_ext tfmagic").stderr == ""
    assert kernel.ok("%unload_ext tfmagic").status == "ok"


@pytest.mark.parametrize("again", ["%reload_ext tfmagic", "%unload_ext tfmagic\n%load_ext tfmagic"])
def test_reloading_doubles_nothing(kernel: Kernel, again: str) -> None:
    kernel.ok(LINE)
    kernel.ok("%tf_run line [[1, 2]]")
    kernel.ok(LEFT_BEHIND)
    kernel.ok(f"{again}\n{again}\nwait_for_threads_to_end()")
    assert " ".join(kernel.value("left_behind()").split()) == ONCE


def test_models_their_weights_and_the_session_survive_a_reload(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("%%tf_run line\nsession.run(w.assign(5.0))")
    kernel.ok("import tfmagic\nbefore = tfmagic.session, tfmagic.models, tfmagic.models.line")
    kernel.ok("%reload_ext tfmagic")
    kernel.ok("%unload_ext tfmagic")
    assert kernel.value("tfmagic.models.line([[1, 2]])") == "array([[ 5., 10.]], dtype=float32)"
    kernel.ok("%load_ext tfmagic")
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[ 5., 10.]], dtype=float32)"
    same = "all(a is b for a, b in zip(before, (tfmagic.session, tfmagic.models, tfmagic.models.line)))"
    assert kernel.value(same) == "True"


def test_importing_the_package_anew_finds_the_same_models_and_session(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("import importlib, tfmagic\nbefore = tfmagic.session, tfmagic.models")
    kernel.ok("importlib.reload(tfmagic)\nimport tfmagic.runtime.session.kernel_session, tfmagic.model.registry")
    kernel.ok("importlib.reload(tfmagic.runtime.session.kernel_session)\nimportlib.reload(tfmagic.model.registry)")
    assert kernel.value("tfmagic.session is before[0], tfmagic.models is before[1]") == "(True, True)"
    assert kernel.ok("%tf_run line [[1, 2]]").text == "array([[2., 4.]], dtype=float32)"


STAYS = (
    "TensorFlow was in use before tfmagic was loaded, so it keeps the memory of its tensors for the life of this "
    "kernel, also of models that are dropped: restart the kernel and put %load_ext tfmagic first, or type "
    "tfmagic autoload on in a terminal, once for all notebooks"
)


def test_after_a_model_was_built_loading_says_what_cannot_be_given_back(fresh_kernel: Kernel) -> None:
    fresh_kernel.ok("import keras\nnet = keras.Sequential([keras.Input([4]), keras.layers.Dense(3)])")
    assert fresh_kernel.ok("%load_ext tfmagic").stdout == f"tfmagic: {STAYS}\n"
    assert fresh_kernel.ok("%reload_ext tfmagic").stdout == ""
    fresh_kernel.ok("%tf_model add net net --copy")
    assert STAYS in fresh_kernel.ok("%tf_model drop net").text
    fresh_kernel.ok("%tf_model add net net --copy")
    assert STAYS in fresh_kernel.ok("%tf_runtime reset").text
    assert STAYS in fresh_kernel.ok("%tf_runtime reset").text, "with no model left"
    assert STAYS in fresh_kernel.ok("%tf_runtime").text


def test_loading_says_nothing_where_memory_comes_back(fresh_kernel: Kernel) -> None:
    fresh_kernel.ok("import tensorflow as tf")
    assert fresh_kernel.ok("%load_ext tfmagic").stdout == ""
    fresh_kernel.ok("import keras\nnet = keras.Sequential([keras.Input([4]), keras.layers.Dense(3)])")
    assert fresh_kernel.ok("%reload_ext tfmagic").stdout == ""
    fresh_kernel.ok("%tf_model add net net --copy")
    assert "for the life of this kernel" not in fresh_kernel.ok("%tf_model drop net").text
