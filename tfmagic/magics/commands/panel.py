"""``%tf_panel``: the panel, below the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.errors import UsageLineError
from tfmagic.magics.grammar.line import split
from tfmagic.magics.grammar.options import Command, Option, parse
from tfmagic.panel.channel.channel import reveal_sidebar
from tfmagic.panel.views.view import Sentence, View

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = Command(
    "%tf_panel",
    "Show libraries, placement, memory, models and log of this kernel, live, also while a cell runs. In a terminal, "
    "and wherever widgets are not shown, it is the same as text.",
    (Option("--sidebar", "the same in JupyterLab's sidebar, which follows the active notebook"),),
)
DOCUMENTED = (COMMAND,)
_NO_SIDEBAR = (
    "no page with tfmagic's sidebar has answered (JupyterLab has it, with pip install 'tfmagic[lab]' where it runs): "
    "the panel is here"
)


def run_line(line: str, shell: Any, show: Callable[[View], None]) -> Any:
    """Run a ``%tf_panel`` line; return the panel, or None where the sidebar of the shell's kernel shows it."""
    parsed = parse(list(split(line).words), COMMAND)
    if parsed.help:
        return Sentence(COMMAND.help())
    if parsed.rest:
        msg = f"{' '.join(parsed.rest)!r} was not expected: type %tf_panel, or %tf_panel --sidebar"
        raise UsageLineError(msg)
    if parsed.flag("sidebar"):
        if reveal_sidebar(shell):
            return None
        show(Sentence(_NO_SIDEBAR))
    from tfmagic.panel.channel.open_panel import panel

    return panel()
