"""``%tf_runtime config``: how native sessions are made, and what was set for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.panel.drawing.table import Table
from tfmagic.panel.views.view import Page

if TYPE_CHECKING:
    from tfmagic.runtime.session.config_record import ConfigurationRecord


class ConfigurationPage(Page):
    """A sentence on whether it can still be changed, and a table of what is set."""

    def __init__(self, record: ConfigurationRecord) -> None:
        self.record = record

    def _sentence(self) -> str:
        if not self.record["imported"]:
            return "TensorFlow is not imported yet: every native session will be made from one configuration."
        if self.record["frozen"]:
            return "Every native session is made from this configuration, for the life of the kernel: a graph has run."
        return "Every native session will be made from this configuration; the first graph that runs freezes it."

    def _table(self) -> Table:
        rows = [
            *self.record["fields"].items(),
            *((f"{name} (environment)", value) for name, value in self.record["variables"].items()),
            *((call, "called") for call in self.record["calls"]),
        ]
        return Table(("set", "to"), rows or [("nothing", "TensorFlow's own defaults")])

    def parts(self) -> list[Table | str]:
        """Return the sentence and the table."""
        return [self._sentence(), self._table()]
