"""A report as text: the troubles first, then everything that a bug report needs."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from tfmagic.checkup.report import is_healthy, report
from tfmagic.panel.drawing.units import UNKNOWN, bytes_text, counted
from tfmagic.panel.views.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.checkup.jupyter import JupyterRecord, LabExtensionRecord
    from tfmagic.checkup.kernels import KernelSpecRecord
    from tfmagic.checkup.machine import MachineRecord
    from tfmagic.checkup.report import Report
    from tfmagic.checkup.trial import TrialRecord
    from tfmagic.checkup.troubles.trouble import Trouble
    from tfmagic.checkup.versions import InstalledRecord

_WIDTH = 110
_LABEL = 18


class Checkup(View):
    """What ``tfmagic doctor`` prints of a report, its `record`."""

    def __init__(self, record: Report) -> None:
        self.record = record

    def text(self) -> str:
        """Return the troubles and the facts."""
        return "\n".join([*self._verdict(), "", "What a bug report needs:", "", *self._facts()])

    def _verdict(self) -> Iterator[str]:
        record = self.record
        if is_healthy(record):
            yield "tfmagic doctor: nothing is wrong here that it knows of."
            return
        yield f"tfmagic doctor: {counted(len(record['troubles']), 'trouble')}."
        for number, one in enumerate(record["troubles"], 1):
            yield from ("", *_trouble(number, one))
        for failed in record["failed"]:
            yield from ("", *_wrapped(f"The section {failed['section']} could not be made: {failed['error']}"))

    def _facts(self) -> Iterator[str]:
        record = self.record
        for label, value in [
            *(_versions(record["versions"]) if record["versions"] else []),
            *(_machine(record["machine"]) if record["machine"] else []),
            *(_trial(record["trial"]) if record["trial"] else []),
            ("GPU", record["gpu"]["answer"] if record["gpu"] else UNKNOWN),
            *(_jupyter(record["jupyter"]) if record["jupyter"] else []),
            *(("kernel", _kernel(one)) for one in record["kernels"] or ()),
            ("schemas", ", ".join(f"{name} {value}" for name, value in (record["schemas"] or {}).items()) or UNKNOWN),
        ]:
            yield from _row(label, _from_home(value))
        for line in record["trial"]["stderr"] if record["trial"] else ():
            yield f"    | {_from_home(line)}"


def doctor(timeout_s: float | None = None) -> Checkup:
    """Look for what is wrong with this environment; the same as ``tfmagic doctor`` in a terminal.

    TensorFlow is imported in a process of its own, which takes some seconds.

    Parameters
    ----------
    timeout_s
        How long that may take, in seconds; by default three minutes.

    Returns
    -------
    Checkup
        Shows itself as text; ``record`` is plain data.
    """
    return Checkup(report() if timeout_s is None else report(timeout_s))


def _trouble(number: int, one: Trouble) -> Iterator[str]:
    yield from _wrapped(f"{number}. {one['what']}", "   ")
    # A command is never broken: it is there to be copied.
    yield from (f"     {line}" for line in one["remedy"])


def _versions(one: InstalledRecord) -> Iterator[tuple[str, str]]:
    yield "tfmagic", one["tfmagic"]
    yield "Python", f"{one['python']}, {one['executable']}"
    yield "system", one["system"]
    flavours = [f"{flavour['name']} {flavour['version']}" for flavour in one["tensorflow"]]
    yield "TensorFlow", ", ".join(flavours) or "not installed"
    yield "packages", ", ".join(f"{name} {version or '(not installed)'}" for name, version in one["packages"].items())


def _machine(one: MachineRecord) -> Iterator[tuple[str, str]]:
    avx = {True: ", AVX", False: ", no AVX", None: ""}[one["avx"]]
    yield (
        "processor",
        f"{one['processor'] or UNKNOWN}, {one['architecture']}, {counted(one['cores'] or 0, 'core')}{avx}",
    )
    limit = (
        "no container's limit"
        if one["limit_bytes"] is None
        else f"{bytes_text(one['limit_used_bytes'])} of the container's {bytes_text(one['limit_bytes'])} used"
    )
    yield "memory", f"{bytes_text(one['memory_bytes'])}, {bytes_text(one['available_bytes'])} can be had, {limit}"
    park = one["park"]
    yield "park directory", f"{park['folder']}, {park['error'] or bytes_text(park['free_bytes']) + ' free'}"
    yield "variables", ", ".join(f"{name}={value}" for name, value in one["variables"].items()) or "none"


def _trial(one: TrialRecord) -> Iterator[tuple[str, str]]:
    yield (
        "import",
        (
            f"TensorFlow {one['version']} in {one['import_s']:.1f} s, {bytes_text(one['rss_bytes'])} resident, "
            f"{one['origin']}"
            if one["version"] is not None and one["import_s"] is not None
            else one["error"] or one["exit_signal"] or UNKNOWN
        ),
    )
    yield "Keras", UNKNOWN if one["keras"] is None else f"{one['keras']} on {one['keras_backend']}"
    described = one["descriptions"] or {}
    yield "devices", ", ".join(f"{name} ({what or UNKNOWN})" for name, what in described.items()) or UNKNOWN
    policy, libraries = one["policy"], one["libraries"]
    yield "memory policy", UNKNOWN if policy is None else f"{policy['in_force']}: {policy['why']}"
    yield (
        "libraries",
        (UNKNOWN if libraries is None else f"{libraries['count']}, {libraries['of_tensorflow']} of them TensorFlow's"),
    )
    for double in one["duplicates"] or ():
        yield "more than once", f"{double['name']}: {', '.join(double['paths'])}"


def _jupyter(one: JupyterRecord) -> Iterator[tuple[str, str]]:
    if one["lab_elsewhere"] is not None:
        yield "jupyter-lab", f"of another environment: {one['lab_elsewhere']}"
    if one["lab"]:
        yield "Lab extension", _extension(one["lab_extension"])
        yield "widget manager", _extension(one["widget_manager"])
        told = {True: "enabled", False: "disabled", None: "not enabled"}
        yield "server extension", told[one["server_extension"]]


def _extension(one: LabExtensionRecord | None) -> str:
    if one is None:
        return "not found"
    state = f"disabled: {', '.join(one['disabled'])}" if one["disabled"] else "enabled"
    return f"{one['name']} {one['version']}, {state}, {one['folder']}"


def _kernel(one: KernelSpecRecord) -> str:
    if not one["exists"]:
        return f"{one['name']}: {one['interpreter']}, which is not there"
    here = "this Python" if one["is_this_python"] else f"{one['interpreter']}, Python {one['python'] or UNKNOWN}"
    installed = one["error"] or (f"tfmagic {one['tfmagic']}" if one["tfmagic"] else "no tfmagic")
    return f"{one['name']}: {here}, {installed}"


def _row(label: str, value: str) -> list[str]:
    return _wrapped(f"{label:{_LABEL}}{value}", " " * _LABEL)


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _from_home(text: str) -> str:
    """Return a text with the person's folder as ``~``: reports are posted, and names need not be in them."""
    home = str(Path.home())
    return text if home in {"/", ""} else text.replace(f"{home}/", "~/")
