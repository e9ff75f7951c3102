"""A table as text and as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_CELL = "text-align:left;padding:2px 12px 2px 0;vertical-align:top;white-space:pre-wrap"
_CAPTION = "text-align:left;padding:2px 0"


@dataclass(frozen=True)
class Table:
    """Rows under headings, and a caption over them; every cell is text, whatever it contains."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def text(self) -> str:
        """Return the table with aligned columns, under its caption where it has one."""
        lines = [list(self.headings), *(list(row) for row in self.rows)]
        cells = [[_one_line(cell) for cell in line] for line in lines]
        widths = [max(len(line[column]) for line in cells) for column in range(len(self.headings))]
        drawn = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
        ]
        return "\n".join([self.caption, *drawn] if self.caption else drawn)

    def html(self) -> str:
        """Return the table as a native HTML one, everything in it escaped."""
        head = "".join(f'<th scope="col" style="{_CELL}">{escape(cell)}</th>' for cell in self.headings)
        body = "".join(
            "<tr>" + "".join(f'<td style="{_CELL}">{escape(cell)}</td>' for cell in row) + "</tr>" for row in self.rows
        )
        caption = f'<caption style="{_CAPTION}">{escape(self.caption)}</caption>' if self.caption else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _one_line(cell: str) -> str:
    return " ".join(cell.split("\n"))
