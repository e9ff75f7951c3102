"""``%tf_runtime placement``: where a model's operations and variables were asked to be, and where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.panel.drawing.table import Table
from tfmagic.panel.drawing.units import UNKNOWN, bytes_text
from tfmagic.panel.views.view import View

if TYPE_CHECKING:
    from tfmagic.model.tracing.placement import PlacementRecord

_SHOWN = 20


class PlacementPage(View):
    """One model: a summary by device, what was moved, and the operations that take the most time."""

    def __init__(self, record: PlacementRecord, *, everything: bool = False) -> None:
        self.record = record
        self.everything = everything

    def _tables(self) -> list[Table]:
        record = self.record
        caption = f"{record['model']}, as {record['known_from']} has shown"
        devices = [
            (
                one["device"],
                str(one["operations"]),
                str(one["variables"]),
                bytes_text(one["bytes"]),
                UNKNOWN if one["share"] is None else f"{one['share']:.1%}",
            )
            for one in record["devices"] or ()
        ]
        operations = record["operations"] if self.everything else record["operations"][:_SHOWN]
        rows = [
            (
                one["name"],
                one["type"],
                one["requested"] or "no request",
                one["actual"] + (" (moved)" if one["moved"] else ""),
                UNKNOWN if one["share"] is None else f"{one['share']:.1%}",
            )
            for one in operations
        ]
        others = record["total"] - len(operations)
        if others > 0:
            rows.append((f"and {others} more", "", "", "", ""))
        variables = record["variables"] if self.everything else record["variables"][:_SHOWN]
        where = [
            (
                one["name"],
                bytes_text(one["size_bytes"]),
                one["requested"] or "no request",
                "not in this run" if one["actual"] is None else one["actual"] + (" (moved)" if one["moved"] else ""),
            )
            for one in variables
        ]
        if len(record["variables"]) > len(variables):
            where.append((f"and {len(record['variables']) - len(variables)} more", "", "", ""))
        return [
            Table(("device", "operations", "variables", "their size", "share of time"), devices, caption),
            Table(("operation", "type", "asked for", "ran on", "share of time"), rows),
            *([Table(("variable", "size", "asked for", "lies on"), where)] if where else []),
        ]

    def _sentence(self) -> str:
        record = self.record
        if record["known_from"] is None:
            return f"{record['model']}: where it runs is not known: {record['note']}"
        if not record["moved"]:
            return ""
        return (
            f"{record['model']}: soft placement has moved {record['moved']} "
            f"{'operations and variables' if record['moved'] > 1 else 'operation or variable'} to another device than "
            "was asked for: there is no such device, or it has no kernel for them (%tf_runtime devices)"
        )

    def text(self) -> str:
        """Return what was moved, in a sentence, and the tables."""
        tables = self._tables() if self.record["known_from"] is not None else []
        return "\n\n".join(filter(None, (self._sentence(), *(table.text() for table in tables))))

    def html(self) -> str:
        """Return what was moved, in a sentence, and the tables."""
        from html import escape

        tables = self._tables() if self.record["known_from"] is not None else []
        sentence = self._sentence()
        said = f"<p>{escape(sentence)}</p>" if sentence else ""
        return said + "".join(table.html() for table in tables)


class PlacementPages(View):
    """Several models, one below the other."""

    def __init__(self, pages: list[PlacementPage]) -> None:
        self.pages = pages

    def text(self) -> str:
        """Return every page."""
        return "\n\n".join(page.text() for page in self.pages) or "no models yet: %tf_model add NAME SOURCE adds one"

    def html(self) -> str:
        """Return every page."""
        return "".join(page.html() for page in self.pages) if self.pages else super().html()
