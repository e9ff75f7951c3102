"""``%tf_runtime placement``: where a model's operations and variables were asked to be, and where they are."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from tfmagic.panel.drawing.table import Table
from tfmagic.panel.drawing.units import UNKNOWN, bytes_text
from tfmagic.panel.views.view import Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tfmagic.model.tracing.placement import PlacementRecord

_SHOWN = 20


class PlacementPage(Page):
    """One model: a summary by device, what was moved, and the operations that take the most time."""

    def __init__(self, record: PlacementRecord, *, everything: bool = False) -> None:
        self.record = record
        self.everything = everything

    def _tables(self) -> list[Table]:
        record = self.record
        caption = f"{record['model']}, as {record['known_from']} has shown"
        devices = [
            (
                device["device"],
                str(device["operations"]),
                str(device["variables"]),
                bytes_text(device["bytes"]),
                UNKNOWN if device["share"] is None else f"{device['share']:.1%}",
            )
            for device in record["devices"] or ()
        ]
        operations = record["operations"] if self.everything else record["operations"][:_SHOWN]
        rows = [
            (
                row["name"],
                row["type"],
                row["requested"] or "no request",
                row["actual"] + (" (moved)" if row["moved"] else ""),
                UNKNOWN if row["share"] is None else f"{row['share']:.1%}",
            )
            for row in operations
        ]
        others = record["total"] - len(operations)
        if others > 0:
            rows.append((f"and {others} more", "", "", "", ""))
        variables = record["variables"] if self.everything else record["variables"][:_SHOWN]
        where = [
            (
                row["name"],
                bytes_text(row["size_bytes"]),
                row["requested"] or "no request",
                "not in this run" if row["actual"] is None else row["actual"] + (" (moved)" if row["moved"] else ""),
            )
            for row in variables
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

    def parts(self) -> Iterable[Table | str]:
        """Return what was moved, in a sentence, and the tables."""
        if sentence := self._sentence():
            yield sentence
        if self.record["known_from"] is not None:
            yield from self._tables()


class PlacementPages(Page):
    """Several models, one below the other."""

    def __init__(self, pages: list[PlacementPage]) -> None:
        self.pages = pages

    def parts(self) -> Iterable[Table | str]:
        """Return the parts of every page."""
        return chain.from_iterable(page.parts() for page in self.pages)
