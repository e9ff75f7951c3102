"""A table as text and as HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, TypeVar

R = TypeVar("R")

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Columns = Mapping[str, Callable[[R], str]]
    """The columns of a table of records: what stands under each heading."""

_CELL = "text-align:{side};padding:2px 12px 2px 0;vertical-align:top;white-space:{space}"
_FIGURE = re.compile(r"(|unknown|[–-]|-?\d[\d.,e+-]*%?( (B|kB|MB|GB|s|ms|µs|%))?)")  # noqa: RUF001 - a dash for no figure
_CAPTION = "text-align:left;padding:2px 0"


@dataclass(frozen=True)
class Table:
    """Rows under headings, and a caption over them; every cell is text, whatever it contains."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    @classmethod
    def of(cls, records: Iterable[R], columns: Columns[R], caption: str = "", *, rest: Sequence[str] = ()) -> Table:
        """Return a table with a row for each record; `rest` begins a last row, about those that are left out."""
        rows = [[cell(record) for cell in columns.values()] for record in records]
        if rest:
            rows.append([*rest, *[""] * (len(columns) - len(rest))])
        return cls(list(columns), rows, caption)

    def _figures(self) -> set[int]:
        """Return the columns of figures, which are read from their right ends."""
        columns = range(len(self.headings)) if self.rows else ()
        return {column for column in columns if all(_FIGURE.fullmatch(row[column]) for row in self.rows)}

    def text(self) -> str:
        """Return the table with aligned columns, under its caption where it has one."""
        lines = [list(self.headings), *(list(row) for row in self.rows)]
        cells = [[" ".join(cell.split("\n")) for cell in line] for line in lines]
        widths = [max(len(line[column]) for line in cells) for column in range(len(self.headings))]
        right = self._figures()
        drawn = [
            "  ".join(
                cell.rjust(width) if column in right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in cells
        ]
        return "\n".join([self.caption, *drawn] if self.caption else drawn)

    def html(self) -> str:
        """Return the table as a native HTML one, everything in it escaped."""
        right = self._figures()
        sides = ["right" if column in right else "left" for column in range(len(self.headings))]
        head = "".join(
            f'<th scope="col" style="{_CELL.format(side=side, space="pre-wrap")}">{escape(cell)}</th>'
            for side, cell in zip(sides, self.headings, strict=True)
        )
        # No line break between a figure and its unit.
        styles = [_CELL.format(side=side, space="pre" if side == "right" else "pre-wrap") for side in sides]
        body = "".join(
            "<tr>"
            + "".join(f'<td style="{style}">{escape(cell)}</td>' for style, cell in zip(styles, row, strict=True))
            + "</tr>"
            for row in self.rows
        )
        caption = f'<caption style="{_CAPTION}">{escape(self.caption)}</caption>' if self.caption else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
