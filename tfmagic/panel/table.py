"""A table as text and as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top;white-space:pre-wrap"


@dataclass(frozen=True)
class Table:
    """Rows under headings; every cell is text, whatever it contains."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Return the table with aligned columns."""
        lines = [list(self.headings), *(list(row) for row in self.rows)]
        cells = [[_one_line(cell) for cell in line] for line in lines]
        widths = [max(len(line[column]) for line in cells) for column in range(len(self.headings))]
        drawn = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
        ]
        return "\n".join(drawn)

    def html(self) -> str:
        """Return the table as a native HTML one, everything in it escaped."""
        head = "".join(f'<th scope="col" style="{_CELL}">{escape(cell)}</th>' for cell in self.headings)
        body = "".join(
            "<tr>" + "".join(f'<td style="{_CELL}">{escape(cell)}</td>' for cell in row) + "</tr>" for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _one_line(cell: str) -> str:
    return " ".join(cell.split("\n"))
