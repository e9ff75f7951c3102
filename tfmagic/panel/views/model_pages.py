"""``%tf_model list`` and ``%tf_model show``: models, and files that were not loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.core.units import UNKNOWN, bytes_text, seconds_text
from tfmagic.execution.signature.signature import shape_text
from tfmagic.panel.drawing.table import Table
from tfmagic.panel.views.runtime_pages import peak_text
from tfmagic.panel.views.view import ListPage, Page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tfmagic.execution.room.variables import VariableRecord
    from tfmagic.execution.signature.signature import SignatureRecord, TensorRecord
    from tfmagic.formats.common.source import FileRecord
    from tfmagic.model.record import ModelRecord, ModelRow
    from tfmagic.panel.drawing.table import Columns

_SHOWN = 12
_WAYS = {
    "pool": "in TensorFlow's pool",
    "caller": "in the caller's thread",
    "folded": "with folded variables",
    "unfused": "folded and unfused",
    "lite": "by TensorFlow Lite",
}
_MODELS: Columns[ModelRow] = {
    "name": lambda row: row["name"],
    "kind": lambda row: row["kind"],
    "mode": lambda row: row["mode"],
    "state": lambda row: row["state"],
    "takes": lambda row: ends_text(row["signature"], "inputs"),
    "gives": lambda row: ends_text(row["signature"], "outputs"),
    "variables": lambda row: bytes_text(row["weights_bytes"]),
    "constants": lambda row: bytes_text(row["constants_bytes"]),
    "calls": lambda row: str(row["calls"]),
    "last call": lambda row: seconds_text(row["last_latency_s"]),
}
_VARIABLES: Columns[VariableRecord] = {
    "variable": lambda variable: variable["name"],
    "dtype": lambda variable: variable["dtype"],
    "shape": lambda variable: shape_text(variable["shape"]),
    "size": lambda variable: bytes_text(variable["size_bytes"]),
    "device": lambda variable: variable["device"] or "no request",
}

NO_MODELS = "no models yet: %tf_model add NAME SOURCE adds one"


class ModelTable(ListPage["ModelRow"]):
    """``%tf_model list``: one row a model."""

    def parts(self) -> list[Table | str]:
        """Return the table, or how to begin where there are no models."""
        return [Table.of(self.record, _MODELS) if self.record else NO_MODELS]


class ModelPage(Page["ModelRecord"]):
    """``%tf_model show NAME``: everything about one model."""

    def __init__(self, record: ModelRecord, variables: Sequence[VariableRecord] = ()) -> None:
        super().__init__(record)
        self.variables = variables

    def parts(self) -> Iterator[Table]:
        """Yield the facts, the signatures and the largest variables."""
        yield self._facts()
        yield signature_table(self.record["signatures"], self.record["default_signature"])
        if self.variables:
            others = self.variables[_SHOWN:]
            size = bytes_text(sum(variable["size_bytes"] or 0 for variable in others))
            rest = (f"and {len(others)} more", "", "", size) if others else ()
            yield Table.of(self.variables[:_SHOWN], _VARIABLES, rest=rest)

    def _facts(self) -> Table:
        record = self.record
        variables = UNKNOWN if record["variables"] is None else str(record["variables"] or "none")
        rows = [
            ("source", f"{record['source']} ({record['kind']})"),
            *([("path", record["path"])] if record["path"] else []),
            ("mode", record["mode"]),
            ("state", record["state"]),
            ("device", record["device"] or "no request"),
            ("runs on", where_text(record)),
            ("variables", f"{variables}, {bytes_text(record['weights_bytes'])}"),
            ("constants", bytes_text(record["constants_bytes"])),
            ("process grew by", bytes_text(record["grew_bytes"])),
            ("peak of a run", peak_text(record["run_peak_bytes"], awaits_trace=record["peak_awaits_trace"])),
            *_prepared_rows(record),
            ("calls", f"{record['calls']}, median {seconds_text(record['median_latency_s'])}"),
            ("names", ", ".join(record["names"]) or "none"),
        ]
        if record["stopped"]:
            rows.append(
                ("last run", "stopped by you" + (", and not ended yet" if record["state"] == "stopping" else ""))
            )
        if record["last_error"]:
            rows.append(("last error", record["last_error"]))
        rows.extend(("note", note) for note in record["notes"])
        return Table((record["name"], ""), rows)


def _prepared_rows(record: ModelRecord) -> list[tuple[str, str]]:
    """Return how the model's calls are run, a row for each set of fetches."""
    rows = []
    several = len(record["prepared"]) > 1
    for call in record["prepared"]:
        tried = ", ".join(f"{_WAYS[way]} {seconds_text(latency_s)}" for way, latency_s in call["latencies_s"].items())
        fetches = f"{', '.join(call['fetches'])}: " if several else ""
        rows.append(("is run", f"{fetches}{_WAYS[call['way']]} ({tried})"))
    if record["folded_bytes"]:
        rows.append(("folded", f"about {bytes_text(record['folded_bytes'])} of constants beside the variables"))
    return rows


class FilePage(Page["FileRecord"]):
    """``%tf_model show PATH``: what is in a file that was not loaded."""

    def parts(self) -> Iterator[Table]:
        """Yield the facts and the signatures."""
        record = self.record
        fits = {True: "yes", False: "no", None: UNKNOWN}[record["fits"]]
        variables = UNKNOWN if record["variables"] is None else str(record["variables"] or "none")
        weights = "constants" if record["variables"] == 0 else "weights"
        rows = [
            ("kind", record["kind"]),
            ("on disk", bytes_text(record["disk_bytes"])),
            ("variables", f"{variables}, {bytes_text(record['weights_bytes'])} of {weights}"),
            ("fits?", f"{fits} ({bytes_text(record['available_bytes'])} of memory available)"),
        ]
        if record["tags"]:
            rows.append(("tags", " | ".join(",".join(tags) or "(none)" for tags in record["tags"])))
        rows.extend(("note", note) for note in record["notes"])
        yield Table((record["path"], ""), rows)
        if record["signatures"]:
            yield signature_table(record["signatures"], None)


def signature_table(signatures: Sequence[SignatureRecord], default: str | None) -> Table:
    """Return a table of signatures, the default one marked."""
    rows = [
        (
            signature["name"] + (" (default)" if signature["name"] == default else ""),
            ends_text(signature, "inputs", apart="\n"),
            ends_text(signature, "outputs", apart="\n"),
        )
        for signature in signatures
    ]
    return Table(("signature", "takes", "gives"), rows)


def where_text(row: ModelRow) -> str:
    """Return where a model runs, and what of it was asked to be elsewhere."""
    where = ", ".join(row["runs_on"] or ()) or f"unknown (%tf_runtime placement {row['name']} tells)"
    if row["moved"]:
        return f"{where} ({row['moved']} not where asked for)"
    asked = (row["device"] or "").rpartition("device:")[2]
    elsewhere = asked and row["moved"] is None and row["runs_on"] is not None and asked not in row["runs_on"]
    return f"{where} (asked for {asked})" if elsewhere else where


def ends_text(signature: SignatureRecord | None, side: str, *, apart: str = ", ") -> str:
    """Return one side of a signature: ``x float32 (?, 64)``."""
    if signature is None:
        return UNKNOWN
    ends = signature["inputs"] if side == "inputs" else signature["outputs"]
    if not ends:
        return "nothing" if side == "inputs" else "known after a call"
    return apart.join(_end_text(end) for end in ends)


def _end_text(end: TensorRecord) -> str:
    if end["dtype"] is None:
        return end["name"]
    return f"{end['name']} {end['dtype']} {shape_text(end['shape'])}" + (" (optional)" if end["optional"] else "")
