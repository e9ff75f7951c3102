"""``%tf_runtime log``: the messages that TensorFlow wrote to stderr."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

from tfmagic.panel.drawing.table import Table
from tfmagic.panel.views.view import View

if TYPE_CHECKING:
    from tfmagic.runtime.native_log.log import NativeLogRecord

_HEADINGS = ("last", "times", "severity", "model", "source", "message")
_OFF = 'the log is off: %config TfMagic.native_log = "capture" begins it'


class LogPage(View):
    """The messages as a table, in the order in which they first came."""

    def __init__(self, record: NativeLogRecord) -> None:
        self.record = record

    def _table(self) -> Table:
        rows = [
            (
                datetime.fromtimestamp(entry["last_s"]).astimezone().strftime("%H:%M:%S"),
                str(entry["count"]),
                entry["severity"],
                entry["model"] or "",
                entry["source"],
                entry["text"],
            )
            for entry in self.record["entries"]
        ]
        return Table(_HEADINGS, rows)

    def _remarks(self) -> list[str]:
        remarks = [_OFF] if self.record["mode"] == "off" else []
        if self.record["let_go"]:
            remarks.append(f"{self.record['let_go']} older messages made room for newer ones and are not here")
        if not self.record["entries"]:
            remarks.append(
                "nothing here: TensorFlow has written nothing of the kind since the log began or was last cleared"
            )
        return remarks

    def text(self) -> str:
        """Return the table, and what is to be said of the log."""
        return "\n".join([*([self._table().text()] if self.record["entries"] else []), *self._remarks()])

    def html(self) -> str:
        """Return the table, and what is to be said of the log."""
        table = self._table().html() if self.record["entries"] else ""
        return table + "".join(f"<p>{escape(remark)}</p>" for remark in self._remarks())
