"""How IPython displays what the Python API returns: as the panel's views."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from tfmagic.panel.views.view import View

_VIEWS = {
    ("tfmagic.model.several.comparison", "Comparison"): "tfmagic.panel.views.comparison:ComparisonTable",
    ("tfmagic.model.running.timing", "Timing"): "tfmagic.panel.views.measurements:TimingLine",
    ("tfmagic.model.tracing.trace", "Trace"): "tfmagic.panel.views.measurements:TraceTable",
}
"""The view of each class. By name: none of them is imported before it is shown."""


def show_views(shell: InteractiveShell) -> None:
    """Have `shell` display comparisons, timings and traces as their views."""
    for module, name in _VIEWS:
        _formatter(shell, "text/html").for_type_by_name(module, name, lambda shown: _view(shown).html())
        _formatter(shell, "text/plain").for_type_by_name(module, name, _print)


def hide_views(shell: InteractiveShell) -> None:
    """Undo `show_views`."""
    for module, name in _VIEWS:
        for kind in ("text/html", "text/plain"):
            _formatter(shell, kind).pop(f"{module}.{name}", None)


def _formatter(shell: InteractiveShell, kind: str) -> Any:
    formatters: Any = shell.display_formatter
    return formatters.formatters[kind]


def _view(shown: Any) -> View:
    kind = type(shown)
    view: View = resolve_name(_VIEWS[kind.__module__, kind.__name__])(shown.record())
    return view


def _print(shown: Any, printer: Any, cycle: bool) -> None:  # noqa: FBT001 - as IPython calls it
    del cycle
    for number, line in enumerate(_view(shown).text().splitlines()):
        if number:
            printer.break_()
        printer.text(line)
