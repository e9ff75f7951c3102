"""What the Python API returns is displayed by IPython as the panel's view of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tfmagic.execution.signature.result import Result
from tfmagic.magics.shell.display import hide_views, show_views
from tfmagic.model.running.timing import Timing
from tfmagic.model.several.comparison import Comparison
from tfmagic.model.tracing.trace import Trace
from tfmagic.runtime.tracing.step_stats import Execution, RunProfile

if TYPE_CHECKING:
    from collections.abc import Iterator

import numpy as np

SCORES = np.array([[0.1, 0.9], [0.8, 0.2]])
SHOWN = [
    (Timing("net", 1, [0.5, 0.5]), "500 ms ± ", "<pre"),
    (Trace("net", "graph", RunProfile(1.0, [Execution("a", "Add", "CPU:0", 0, 0.5)])), "net: one run, 1 s", "<table>"),
    (
        Comparison({"old": Result({"y": SCORES}), "new": Result({"y": SCORES})}, {"old": 0.1, "new": 0.2}),
        "compared with old; ",
        "<svg",
    ),
]


@pytest.fixture
def shell() -> Iterator[Any]:
    made = InteractiveShell()  # type: ignore[no-untyped-call]
    yield made
    hide_views(made)


@pytest.mark.parametrize(("value", "text", "html"), SHOWN)
def test_it_is_displayed_as_its_view_until_the_views_are_hidden(shell: Any, value: Any, text: str, html: str) -> None:
    show_views(shell)
    shown, _ = shell.display_formatter.format(value)
    assert shown["text/plain"].startswith(text)
    assert html in shown["text/html"]
    hide_views(shell)
    shown, _ = shell.display_formatter.format(value)
    assert shown == {"text/plain": repr(value)}


def test_views_are_shown_once_however_often_that_is_asked(shell: Any) -> None:
    show_views(shell)
    show_views(shell)
    hide_views(shell)
    value = SHOWN[0][0]
    assert shell.display_formatter.format(value)[0] == {"text/plain": repr(value)}


def test_text_of_several_lines_stays_in_lines(shell: Any) -> None:
    show_views(shell)
    shown, _ = shell.display_formatter.format(SHOWN[1][0])
    assert shown["text/plain"].splitlines()[1].split()[0] == "operation"
