"""An error of a public function shows the person's own lines, in a notebook and in a script."""

from __future__ import annotations

import signal
import traceback
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf
from factories import add_cell, ready_python, run_cell
from IPython.core.interactiveshell import InteractiveShell

from tfmagic import models
from tfmagic.concurrency.entry_point import trim_traceback
from tfmagic.errors import InputError, MissingPathError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CODE = """
import json
import signal

from tfmagic.concurrency.entry_point import entry_point
from tfmagic.errors import InputError


@entry_point
def refuse():
    _inside()


def _inside():
    raise InputError("does not fit")


@entry_point
def refuse_because():
    try:
        _call(json.loads, "{")
    except ValueError as error:
        raise InputError("does not fit") from error


@entry_point
def has_a_bug():
    _call(json.loads, "{")


@entry_point
def call(function):
    _call(function)


def _call(function, *values):
    return function(*values)


@entry_point
def struck():
    signal.raise_signal(signal.SIGINT)
    return ended.append(True)


ended = []
"""


@pytest.fixture(scope="module")
def package() -> Any:
    """Return a module of the package that has entry points."""
    made: Any = ModuleType("tfmagic.made_for_a_test")
    exec(compile(CODE, "made_for_a_test.py", "exec"), made.__dict__)  # noqa: S102 - the code above
    return made


def places(error: BaseException) -> list[str]:
    """Return the functions in an error's traceback, after the test's own."""
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)][1:]


def test_an_own_error_shows_only_the_persons_lines(package: Any) -> None:
    with pytest.raises(InputError) as caught:
        package.refuse()
    assert places(caught.value) == []


def test_the_cause_can_be_reached_and_has_no_frames_of_the_package(package: Any) -> None:
    with pytest.raises(InputError) as caught:
        package.refuse_because()
    assert places(caught.value) == []
    cause = caught.value.__cause__
    assert isinstance(cause, ValueError)
    assert [frame.name for frame in traceback.extract_tb(cause.__traceback__)] == ["loads", "decode", "raw_decode"]


def test_a_bug_keeps_every_frame(package: Any) -> None:
    with pytest.raises(ValueError, match="line 1") as caught:
        package.has_a_bug()
    assert places(caught.value)[-5:] == ["has_a_bug", "_call", "loads", "decode", "raw_decode"]


def test_an_error_of_the_persons_own_function_shows_no_frames_of_the_package(package: Any) -> None:
    def mine() -> None:
        __import__("json").loads("{")

    with pytest.raises(ValueError, match="line 1") as caught:
        package.call(mine)
    assert places(caught.value) == ["mine", "loads", "decode", "raw_decode"]


def test_an_own_error_below_the_persons_own_function_shows_that_function(package: Any) -> None:
    def mine() -> None:
        package.refuse()

    with pytest.raises(InputError) as caught:
        package.call(mine)
    assert places(caught.value) == ["mine"]


def test_an_interrupt_comes_at_the_end_and_shows_only_the_persons_lines(package: Any) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as caught:
        package.struck()
    assert package.ended == [True]
    assert places(caught.value) == []
    assert signal.getsignal(signal.SIGINT) is before


# -- the package's own entry points -------------------------------------------------------


@pytest.fixture
def model() -> Any:
    """Return a model that takes two numbers, and reshapes them in its native run."""
    code = """
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        y = tf.reshape(x, [2, 1])
    """
    return add_cell("net", code, {"tf": tf}).model


WRONG: dict[str, tuple[str, type[Exception]]] = {
    "call": ("models.net('text')", InputError),
    "call of a native run": ("models.net([1.0, 2.0, 3.0])", tf.errors.InvalidArgumentError),
    "run": ("models.net.run(x=[1.0, 2.0], batch_size=-1)", InputError),
    "run with a deadline": ("models.net.run('text', timeout=30)", InputError),
    "time": ("models.net.timed('text')", InputError),
    "name": ("models.nett", AttributeError),
    "signature": ("models.net.signature('nope')", KeyError),
    "add": ("models.add('other', 'nowhere.pb')", MissingPathError),
    "save": ("models.net.save('/nowhere/at/all/net')", OSError),
    "sync": ("models.net.sync()", RuntimeError),
    "drop": ("models.drop('nett')", KeyError),
    "budget": ("models.memory_budget = 'much'", ValueError),
    "compare": ("tfmagic.compare(['net', 'nett'], [1.0, 2.0])", KeyError),
    "run all": ("tfmagic.run_all({'net': 'text'})", InputError),
    "session": ("tfmagic.session.run(models.net.names['y'])", Exception),
    "configuration": ("tfmagic.KernelSession(3)", Exception),
}


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("code", WRONG)
def test_every_entry_point_shows_one_line_of_the_persons(code: str) -> None:
    text, kind = WRONG[code]
    compiled = compile(text, "typed", "exec")
    with pytest.raises(kind) as caught:
        exec(compiled, {"models": models, "tfmagic": __import__("tfmagic")})  # noqa: S102 - the line above
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not [file for file in files if "/tfmagic/" in file]
    assert files[1:] == ["typed"]


@pytest.fixture
def shell() -> Iterator[Callable[[str], list[str]]]:
    """Return what runs a cell in IPython and gives the lines of the traceback that it shows."""
    made: Any = InteractiveShell(colors="nocolor")  # type: ignore[no-untyped-call]
    shown: list[str] = []

    def show(_type: Any, _value: Any, lines: list[str]) -> None:
        shown.extend("\n".join(lines).splitlines())

    made._showtraceback = show

    def run(code: str) -> list[str]:
        shown.clear()
        made.run_cell(code)
        return list(shown)

    run("from tfmagic import models\nimport tfmagic")
    yield run
    made.history_manager.end_session()


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("code", ["models.net('text')", "tfmagic.run_all({'net': 'text'})"])
def test_a_notebook_shows_the_cells_line_and_the_error(shell: Callable[[str], list[str]], code: str) -> None:
    lines = shell(f"value = 1\n{code}")
    assert [line for line in lines if "-->" in line] == [f"----> 2 {code}"]
    assert lines[-1] == "InputError: net: input 'x' takes float32, got text"
    assert len([line for line in lines if line.startswith(("File", "Cell", "    ["))]) == 1


def test_a_cell_that_fails_in_a_room_shows_its_own_lines_alone(model: Any) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run_cell(model, "import asyncio\nawait asyncio.sleep(0)\n1 / 0")
    # As the magics do.
    trim_traceback(caught.value)
    files = [frame.filename for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert not [file for file in files if "/tfmagic/" in file or "asyncio" in file]


@pytest.mark.slow
def test_a_script_shows_its_own_line_and_the_error() -> None:
    done = ready_python("""
        import tfmagic
        from tfmagic import models

        models.add("net", "nowhere.pb")
    """)
    lines = done.stderr[done.stderr.index("Traceback") :].splitlines()
    # What a script is run by comes before its own line.
    assert 'File "<string>", line 5, in <module>' in lines[-2] or "line 5, in <module>" in lines[-3]
    assert lines[-1].startswith("tfmagic.errors.MissingPathError: there is nothing at")


def test_a_source_that_cannot_be_read_shows_no_frames_of_the_package(tmp_path: Any) -> None:
    (tmp_path / "net.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(SourceError) as caught:
        models.add("other", tmp_path / "net.pb")
    assert places(caught.value) == []
