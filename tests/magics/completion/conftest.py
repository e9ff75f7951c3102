"""A shell that has loaded tfmagic, and models to complete."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from factories import add_cell
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator


TWO_ENDS = """
    import tensorflow as tf
    v1 = tf.compat.v1
    image = v1.placeholder(tf.float32, [None], name="image")
    mask = v1.placeholder(tf.float32, [None], name="mask")
    hidden = tf.multiply(image, 2.0, name="body/hidden")
    sum = tf.add(hidden, mask, name="sum")
    gap = tf.subtract(hidden, mask, name="gap")
"""
ONE_END = """
    import tensorflow as tf
    image = tf.compat.v1.placeholder(tf.float32, [None], name="image")
    sum = tf.identity(image, name="sum")
"""


@pytest.fixture(scope="module")
def the_shell() -> Iterator[Any]:
    with tempfile.TemporaryDirectory() as folder:
        config = Config()
        config.HistoryManager.enabled = False
        config.ProfileDir.location = folder
        shell: Any = InteractiveShell(config=config)  # type: ignore[no-untyped-call]
        shell.run_line_magic("load_ext", "tfmagic")
        yield shell
        shell.run_line_magic("unload_ext", "tfmagic")


@pytest.fixture
def shell(the_shell: Any) -> Iterator[Any]:
    """A shell that has loaded tfmagic, with these names in its notebook."""
    names = {"batch": [1.0], "block": {"first": 1, "second": 2}}
    the_shell.push(names)
    before = set(the_shell.user_ns)
    yield the_shell
    for name in {*names, *(set(the_shell.user_ns) - before)}:
        the_shell.user_ns.pop(name, None)
    the_shell.Completer.use_jedi = True
    the_shell.automagic = True


@pytest.fixture
def two() -> Any:
    """A graph model: ``image`` and ``mask`` to ``sum`` and ``gap``."""
    return add_cell("two", TWO_ENDS).model


@pytest.fixture
def rooms(two: Any) -> Any:
    add_cell("one", ONE_END)
    return two
