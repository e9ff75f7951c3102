"""How IPython displays what the Python API returns: the panel's views of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.panel.views.comparison import ComparisonTable
from tfmagic.panel.views.timing import TimingLine
from tfmagic.panel.views.trace import TraceTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from tfmagic.panel.views.view import View

# By name: the modules of some of them import TensorFlow.
_VIEWS: dict[tuple[str, str], Callable[[Any], View]] = {
    ("tfmagic.model.several.comparison", "Comparison"): lambda shown: ComparisonTable(shown.record()),
    ("tfmagic.model.running.timing", "Timing"): lambda shown: TimingLine(shown.record()),
    ("tfmagic.model.tracing.trace", "Trace"): lambda shown: TraceTable(shown.record()),
}


def show_views(shell: InteractiveShell) -> None:
    """Have `shell` display comparisons, timings and traces as their views."""
    for (module, name), view in _VIEWS.items():
        _formatter(shell, "text/html").for_type_by_name(module, name, _html(view))
        _formatter(shell, "text/plain").for_type_by_name(module, name, _text(view))


def hide_views(shell: InteractiveShell) -> None:
    """Undo `show_views`."""
    for module, name in _VIEWS:
        for kind in ("text/html", "text/plain"):
            _formatter(shell, kind).pop(f"{module}.{name}", None)


def _formatter(shell: InteractiveShell, kind: str) -> Any:
    formatters: Any = shell.display_formatter
    return formatters.formatters[kind]


def _html(view: Callable[[Any], View]) -> Callable[[Any], str]:
    return lambda shown: view(shown).html()


def _text(view: Callable[[Any], View]) -> Callable[[Any, Any, bool], None]:
    def draw(shown: Any, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - as IPython calls it
        del cycle
        for number, line in enumerate(view(shown).text().splitlines()):
            if number:
                printer.break_()
            printer.text(line)

    return draw
