"""Sentences that say what a command did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.core.units import bytes_text, counted, seconds_text
from tfmagic.panel.views.model_pages import ends_text

if TYPE_CHECKING:
    from tfmagic.formats.common.written import SavedRecord
    from tfmagic.model.drop import DropRecord
    from tfmagic.model.memory.parking import ParkRecord, WakeRecord
    from tfmagic.model.previous_version import PreviousVersionRecord
    from tfmagic.model.record import ModelRecord
    from tfmagic.model.running.stop import StopRecord


def stopped_text(record: StopRecord) -> str:
    """Return the line about stopping a model."""
    if record["mode"] == "eager":
        cancelled = "its call was cancelled; its weights are the object's own, as they stand"
    elif record["variables"]:
        kept = counted(record["variables"], "variable")
        cancelled = f"its run was cancelled, and its {kept} kept (a half-finished step may show)"
    else:
        cancelled = "its run was cancelled"
    outcomes = {
        "idle": "there was nothing to stop",
        "ended": f"its run has ended, after {seconds_text(record['waited_s'])}",
        "cancelled": cancelled,
        "reloaded": "its run was cancelled; its variables could not be read within 2 s, "
        "so they are those of its source again",
        "ending": "it was told to end, and its present operation goes on: it is stopping until that has ended",
    }
    return f"{record['name']}: {outcomes[record['outcome']]}"


def added_text(
    record: ModelRecord, outcome: str, previous: PreviousVersionRecord | None = None, *, warmed: bool | None = None
) -> str:
    """Return the lines about a model that was ``added``, ``kept``, ``renewed`` or ``replaced``.

    `previous` says what became of the weights before; `warmed` is None without ``--warm``.
    """
    if outcome == "kept":
        done = {None: "", True: ", and warmed", False: f", not warmed (%tf_model show {record['name']} says why)"}
        return f"{record['name']}: unchanged, kept{done[warmed]}"
    copied = "a copy of the " if record["copied"] else ""
    head = f"{record['name']} {outcome}: {copied}{record['kind']} {record['source']}"
    if record["kind"] == "cell":
        head = f"{record['name']} {outcome}: built by the cell"
        if outcome == "renewed" and previous is None:
            head += ", its variables start from their initial values"
    notes = f" ({'; '.join(record['notes'])})" if record["notes"] else ""
    signature = record["signature"]
    if signature is None:
        return f"{head}{notes}, {record['state']} until it is first run"
    weights = f"{bytes_text(record['constants_bytes'])} of constants"
    if record["variables"]:
        weights = f"{counted(record['variables'], 'variable')}, {bytes_text(record['weights_bytes'])}"
    ends = f"{ends_text(signature, 'inputs')} -> {ends_text(signature, 'outputs')}"
    return f"{head}{notes}\n  {ends}; {weights}{_previous_text(previous)}"


def _previous_text(previous: PreviousVersionRecord | None) -> str:
    lines = []
    if previous is not None and previous["carried"]:
        lines.append(f"previous values kept for {counted(previous['carried'], 'variable')} (--keep)")
    if previous is not None and previous["name"] is not None:
        name = previous["name"]
        lines.append(f"it had been trained: {name} is what it was, in place of any earlier {name}")
    return "".join(f"\n  {line}" for line in lines)


def saved_text(name: str, record: SavedRecord) -> str:
    """Return the line about saving a model."""
    count = record["variables"]
    weights = counted(count, "variable") if count else "no variables"
    if record["format"] == "frozen graph" and count:
        weights += " as constants"
    if record["for_training"]:
        weights += f", {record['for_training']} of them for training alone"
    size = bytes_text(record["size_bytes"])
    return "; ".join([f"{name} saved: {record['format']} {record['path']}, {size} with {weights}", *record["notes"]])


def parked_text(record: ParkRecord) -> str:
    """Return the lines about parking a model."""
    if record["outcome"] == "already":
        return f"{record['name']}: was parked already"
    size = bytes_text(record["written_bytes"])
    where = f"{size} written to disk" if record["written_bytes"] else "nothing written, its source has the same weights"
    lines = [f"{record['name']}: parked, {bytes_text(record['freed_bytes'])} of variables freed ({where})"]
    return "\n".join([*lines, *(f"  {note}" for note in record["notes"])])


def woken_text(record: WakeRecord) -> str:
    """Return the line about waking a model."""
    if record["outcome"] == "already":
        return f"{record['name']}: was awake already"
    size, took = bytes_text(record["weights_bytes"]), seconds_text(record["took_s"])
    warmed = "; warmed again" if record["warmed"] else ""
    return f"{record['name']}: awake, {size} of variables in {took}{warmed}"


def reset_text(record: DropRecord) -> str:
    """Return the lines about a reset."""
    stays = [] if record["models"] or record["stays"] is None else [f"  {record['stays']}"]
    return "\n".join([dropped_text(record), *stays, "the session is closed; the next run opens it again"])


def dropped_text(record: DropRecord) -> str:
    """Return the lines about a drop: lost training first, then the memory given back and what still holds some."""
    if not record["models"]:
        return "there was no model to drop"
    names = ", ".join(model["name"] for model in record["models"])
    gave, now = record["gave_back_bytes"], bytes_text(record["rss_bytes"])
    back = f"{bytes_text(gave)} given back to the system" if gave > 0 else "the process is no smaller for it"
    lines = [f"dropped: {names} ({back}, it has {now} now)"]
    if record["running"]:
        # What was measured is not what the drop comes to.
        lines = [f"dropped: {names} (not all memory is back yet, the process has {now} now)"]
    if record["stays"] is not None:
        lines.append(f"  {record['stays']}")
    lines[:0] = [f"{name} was trained, and not saved since" for name in record["unsaved"]]
    lines.extend(
        f"  {name}: its run was told to end and goes on; its memory comes back when that has ended"
        for name in record["running"]
    )
    lines.extend(
        f"  {held['name']} ({held['kind']}) still holds memory of it"
        if held["kind"]
        else f"  {held['name']} may hold memory of it: it is too large to be searched through"
        for held in record["held"]
    )
    to_type = dict.fromkeys(held["release"] for held in record["held"] if held["release"])
    if to_type:
        lines.append("to let go, run:")
        lines.extend(f"    {line}" for line in "\n".join(to_type).splitlines())
    return "\n".join(lines)
