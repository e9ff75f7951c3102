"""How IPython displays what the Python API returns: as the panel's views."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    from tfmagic.panel.views.view import View

_VIEWS = {
    ("tfmagic.model.several.comparison", "Comparison"): ("comparison", "ComparisonTable"),
    ("tfmagic.model.running.timing", "Timing"): ("measurements", "TimingLine"),
    ("tfmagic.model.tracing.trace", "Trace"): ("measurements", "TraceTable"),
}
"""The view in `tfmagic.panel.views` of each class. By name: none of them is imported before it is shown."""


def show_views(shell: InteractiveShell) -> None:
    """Have `shell` display comparisons, timings and traces as their views."""
    for (module, name), view in _VIEWS.items():
        _formatter(shell, "text/html").for_type_by_name(module, name, _html(*view))
        _formatter(shell, "text/plain").for_type_by_name(module, name, _text(*view))


def hide_views(shell: InteractiveShell) -> None:
    """Undo `show_views`."""
    for module, name in _VIEWS:
        for kind in ("text/html", "text/plain"):
            _formatter(shell, kind).pop(f"{module}.{name}", None)


def _formatter(shell: InteractiveShell, kind: str) -> Any:
    formatters: Any = shell.display_formatter
    return formatters.formatters[kind]


def _view(module: str, name: str, shown: Any) -> View:
    view: View = getattr(import_module(f"tfmagic.panel.views.{module}"), name)(shown.record())
    return view


def _html(module: str, name: str) -> Callable[[Any], str]:
    return lambda shown: _view(module, name, shown).html()


def _text(module: str, name: str) -> Callable[[Any, Any, bool], None]:
    def draw(shown: Any, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - as IPython calls it
        del cycle
        for number, line in enumerate(_view(module, name, shown).text().splitlines()):
            if number:
                printer.break_()
            printer.text(line)

    return draw
