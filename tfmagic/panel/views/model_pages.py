"""``%tf_model list`` and ``%tf_model show``: models, and files that were not loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.panel.drawing.table import Table
from tfmagic.panel.drawing.units import UNKNOWN, bytes_text, peak_text, seconds_text
from tfmagic.panel.views.view import Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tfmagic.execution.room.variables import VariableRecord
    from tfmagic.execution.signature.signature import SignatureRecord, TensorRecord
    from tfmagic.formats.common.source import FileRecord
    from tfmagic.model.record import ModelRecord, ModelRow


_SHOWN = 12
_WAYS = {
    "pool": "in TensorFlow's pool",
    "caller": "in the caller's thread",
    "folded": "with folded variables",
    "unfused": "folded and unfused",
    "lite": "by TensorFlow Lite",
}


NO_MODELS = "no models yet: %tf_model add NAME SOURCE adds one"


class ModelTable(Page):
    """``%tf_model list``: one row a model."""

    def __init__(self, records: Sequence[ModelRow]) -> None:
        self.records = list(records)

    def parts(self) -> Iterable[Table | str]:
        """Return the table, or how to begin where there are no models."""
        headings = ("name", "kind", "mode", "state", "takes", "gives", "variables", "constants", "calls", "last call")
        rows = [
            (
                record["name"],
                record["kind"],
                record["mode"],
                record["state"],
                ends_text(record["signature"], "inputs"),
                ends_text(record["signature"], "outputs"),
                bytes_text(record["weights_bytes"]),
                bytes_text(record["constants_bytes"]),
                str(record["calls"]),
                seconds_text(record["last_latency_s"]),
            )
            for record in self.records
        ]
        return [Table(headings, rows) if rows else NO_MODELS]


class ModelPage(Page):
    """``%tf_model show NAME``: everything about one model."""

    def __init__(self, record: ModelRecord, variables: Sequence[VariableRecord] = ()) -> None:
        self.record = record
        self.variables = list(variables)

    def parts(self) -> Iterable[Table]:
        """Return the facts, the signatures and the variables."""
        yield self._facts()
        yield signature_table(self.record["signatures"], self.record["default_signature"])
        if self.variables:
            yield variable_table(self.variables)

    def _facts(self) -> Table:
        record = self.record
        variables = UNKNOWN if record["variables"] is None else str(record["variables"] or "none")
        rows = [
            ("source", f"{record['source']} ({record['kind']})"),
            *([("path", record["path"])] if record["path"] else []),
            ("mode", record["mode"]),
            ("state", record["state"]),
            ("device", record["device"] or "no request"),
            ("variables", f"{variables}, {bytes_text(record['weights_bytes'])}"),
            ("constants", bytes_text(record["constants_bytes"])),
            ("process grew by", bytes_text(record["grew_bytes"])),
            ("peak of a run", peak_text(record["run_peak_bytes"], awaits_trace=record["peak_awaits_trace"])),
            *_prepared_rows(record),
            ("calls", f"{record['calls']}, median {seconds_text(record['median_latency_s'])}"),
            ("names", ", ".join(record["names"]) or "none"),
        ]
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


class FilePage(Page):
    """``%tf_model show PATH``: what is in a file that was not loaded."""

    def __init__(self, record: FileRecord) -> None:
        self.record = record

    def parts(self) -> Iterable[Table]:
        """Return the facts and the signatures."""
        yield self._facts()
        if self.record["signatures"]:
            yield signature_table(self.record["signatures"], None)

    def _facts(self) -> Table:
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
        return Table((record["path"], ""), rows)


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


def variable_table(variables: Sequence[VariableRecord]) -> Table:
    """Return a table of the largest variables, and a line for the others."""
    rows = [
        (
            variable["name"],
            variable["dtype"],
            shape_text(variable["shape"]),
            bytes_text(variable["size_bytes"]),
            variable["device"] or "no request",
        )
        for variable in variables[:_SHOWN]
    ]
    others = variables[_SHOWN:]
    if others:
        rest = sum(variable["size_bytes"] or 0 for variable in others)
        rows.append((f"and {len(others)} more", "", "", bytes_text(rest), ""))
    return Table(("variable", "dtype", "shape", "size", "device"), rows)


def shape_text(shape: Sequence[int | None] | None) -> str:
    """Return a shape as ``(?, 64)``."""
    if shape is None:
        return "any shape"
    sizes = ["?" if size is None else str(size) for size in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


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
