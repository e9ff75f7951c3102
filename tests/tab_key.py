"""Pressing Tab, in a shell of this process."""

from __future__ import annotations

from typing import Any

from IPython.core.completer import provisionalcompleter, rectify_completions

from tfmagic.magics.completion.at_cursor import candidates_at


def tab(shell: Any, cell: str) -> list[str]:
    """Return what tfmagic candidates at the end of a cell, or where ``<Tab>`` stands in it."""
    before, _, after = cell.partition("<Tab>")
    row = before.count("\n")
    candidates = candidates_at(shell, before + after, row, len(before.split("\n")[-1]))
    assert candidates is not None, "none of tfmagic's business"
    assert before.endswith(candidates.fragment)
    return [one.text for one in candidates.items]


def is_ours(shell: Any, cell: str) -> bool:
    return candidates_at(shell, cell, cell.count("\n"), len(cell.rsplit("\n", maxsplit=1)[-1])) is not None


def all_offered(shell: Any, cell: str) -> list[str]:
    """Return the cell after each completion of IPython's and of all matchers was taken."""
    with provisionalcompleter():
        found = list(rectify_completions(cell, shell.Completer.completions(cell, len(cell))))
    return [cell[: one.start] + one.text for one in found]
