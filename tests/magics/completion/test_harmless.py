"""Tab looks, and does nothing: it runs, builds, imports and waits for nothing."""

from __future__ import annotations

import threading
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf
from factories import add_cell, printed_from_start, run_cell, save_v2
from tab_key import all_offered, is_ours, tab

from tfmagic import models

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


class Touchy:
    """An object that notes whatever is asked of it."""

    def __init__(self, noted: list[str]) -> None:
        object.__setattr__(self, "noted", noted)

    @property
    def value(self) -> Any:
        self.noted.append("value")
        return self

    @property
    def __class__(self) -> type:
        self.noted.append("__class__")
        return Touchy

    @__class__.setter
    def __class__(self, value: type) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        self.noted.append(name)
        raise AttributeError(name)

    def __repr__(self) -> str:
        self.noted.append("__repr__")
        return "touchy"


@pytest.mark.parametrize("jedi", [True, False])
@pytest.mark.usefixtures("two")
def test_the_persons_code_is_not_run(shell: Any, jedi: bool) -> None:  # noqa: FBT001 - a parameter
    shell.Completer.use_jedi = jedi
    noted: list[str] = []
    shell.push({"touchy": Touchy(noted)})
    noted.clear()
    for line in ("%tf_model add m ", "%tf_model add m to", "%tf_model show to", "%tf_run two -o to", "%tf_model drop "):
        tab(shell, line)
    assert noted == []


@pytest.mark.parametrize("jedi", [True, False])
@pytest.mark.parametrize("expression", ["to", "touchy.", "touchy.va", "touchy.value.", "touchy['", "[touchy."])
@pytest.mark.usefixtures("two")
def test_no_more_is_asked_of_an_object_than_ipython_itself_asks(
    shell: Any,
    expression: str,
    jedi: bool,  # noqa: FBT001 - a parameter
) -> None:
    shell.Completer.use_jedi = jedi
    noted: list[str] = []
    shell.push({"touchy": Touchy(noted)})
    all_offered(shell, expression)
    noted.clear()
    all_offered(shell, expression)
    ipythons = set(noted)
    noted.clear()
    tab(shell, f"%tf_run two image={expression}")
    assert set(noted) <= ipythons


def test_a_lazy_model_is_not_built(shell: Any, tmp_path: Path) -> None:
    path = save_v2(tmp_path / "net", lambda x: {"y": x}, tf.TensorSpec([None], tf.float32, name="x"))
    models.add("lazy", path, lazy=True)
    assert tab(shell, "%tf_run la") == ["lazy"]
    assert tab(shell, "%tf_run lazy ") == ["batch", "block"]
    assert tab(shell, "%tf_run lazy --fetch ") == []
    assert "batch" in tab(shell, "%%tf_run lazy\nbat")
    assert models["lazy"].state == "parked"


def test_tab_waits_for_no_run_no_cell_and_no_building(shell: Any) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(x: Any) -> Any:
        begun.set()
        go_on.wait(60)
        return x

    add_cell(
        "slow",
        """
        import tensorflow as tf
        x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
        y = tf.numpy_function(wait, [x], tf.float32, name="y")
        """,
        {"wait": wait},
    )
    started = [threading.Thread(target=lambda: models.slow.run([1.0]))]
    started[0].start()
    assert begun.wait(60)
    assert tab(shell, "%tf_run slow x") == ["x="]
    begun.clear()
    started.append(threading.Thread(target=lambda: run_cell(models.slow, "wait(new := 1)", {"wait": wait})))
    started[1].start()
    assert begun.wait(60)
    assert tab(shell, "%%tf_run slow\nses") == ["session"]
    assert tab(shell, "%%tf_run slow\nne") == ["new", "next"]
    with models.slow.lifecycle._building:
        elsewhere = threading.Thread(target=lambda: tab(shell, "%%tf_run slow\nse"))
        elsewhere.start()
        elsewhere.join(60)
        assert not elsewhere.is_alive()
    go_on.set()
    for thread in started:
        thread.join(60)
        assert not thread.is_alive()


def test_a_model_that_is_gone_is_no_error(shell: Any, two: Any) -> None:
    models.drop(two.name)
    assert tab(shell, "%tf_run two ") == ["batch", "block"]
    assert not is_ours(shell, "%%tf_run two\nba")


def test_nothing_of_tensorflow_is_imported() -> None:
    code = """
        import sys
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config
        from tfmagic.magics.completion.at_cursor import candidates_at

        shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
        shell.run_line_magic("load_ext", "tfmagic")
        shell.user_ns["batch"] = [1]
        for line in ("%tf_model ", "%tf_model add m ", "%tf_model add m . --device ", "%tf_model add m . --tags ",
                     "%tf_run ", "%tf_run m ", "%tf_run m x=ba", "%tf_run m --fetch ", "%%tf_run m -o "):
            print(line, [one.text for one in candidates_at(shell, line, 0, len(line)).items][:3])
        print([name for name in ("tensorflow", "keras", "numpy") if name in sys.modules])
    """
    shown = printed_from_start(dedent(code))
    assert shown[-1] == "[]"
    assert "%tf_run m x=ba ['batch']" in shown
