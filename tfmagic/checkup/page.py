"""A report as text: the troubles first, then everything that a bug report needs."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from tfmagic.checkup.report import is_healthy, report
from tfmagic.core.units import UNKNOWN, bytes_text, counted
from tfmagic.panel.views.view import RecordView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.checkup.jupyter import JupyterRecord, LabExtensionRecord
    from tfmagic.checkup.kernels import KernelSpecRecord
    from tfmagic.checkup.machine import MachineRecord
    from tfmagic.checkup.report import Report
    from tfmagic.checkup.trial import TrialRecord
    from tfmagic.checkup.versions import InstalledRecord

_WIDTH = 110
_LABEL = 18


class Checkup(RecordView["Report"]):
    """What ``tfmagic doctor`` prints of a report, its `record`."""

    def text(self) -> str:
        """Return the troubles and the facts."""
        return "\n".join([*self._verdict(), "", "What a bug report needs:", "", *self._facts()])

    def _verdict(self) -> Iterator[str]:
        record = self.record
        if is_healthy(record):
            yield "tfmagic doctor: nothing is wrong here that it knows of."
            return
        yield f"tfmagic doctor: {counted(len(record['troubles']), 'trouble')}."
        for number, trouble in enumerate(record["troubles"], 1):
            yield from ("", *_wrapped(f"{number}. {trouble['what']}", "   "))
            # A command is never broken: it is there to be copied.
            yield from (f"     {line}" for line in trouble["remedy"])
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
            *(("kernel", _kernel(kernel)) for kernel in record["kernels"] or ()),
            ("schemas", ", ".join(f"{name} {value}" for name, value in (record["schemas"] or {}).items()) or UNKNOWN),
        ]:
            yield from _wrapped(f"{label:{_LABEL}}{_from_home(value)}", " " * _LABEL)
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


def _versions(installed: InstalledRecord) -> Iterator[tuple[str, str]]:
    yield "tfmagic", installed["tfmagic"]
    yield "Python", f"{installed['python']}, {installed['executable']}"
    yield "system", installed["system"]
    flavours = [f"{flavour['name']} {flavour['version']}" for flavour in installed["tensorflow"]]
    yield "TensorFlow", ", ".join(flavours) or "not installed"
    packages = [f"{name} {version or '(not installed)'}" for name, version in installed["packages"].items()]
    yield "packages", ", ".join(packages)


def _machine(machine: MachineRecord) -> Iterator[tuple[str, str]]:
    avx = {True: ", AVX", False: ", no AVX", None: ""}[machine["avx"]]
    cores = counted(machine["cores"] or 0, "core")
    yield "processor", f"{machine['processor'] or UNKNOWN}, {machine['architecture']}, {cores}{avx}"
    limit = (
        "no container's limit"
        if machine["limit_bytes"] is None
        else f"{bytes_text(machine['limit_used_bytes'])} of the container's {bytes_text(machine['limit_bytes'])} used"
    )
    available = bytes_text(machine["available_bytes"])
    yield "memory", f"{bytes_text(machine['memory_bytes'])}, {available} can be had, {limit}"
    park = machine["park"]
    yield "park directory", f"{park['folder']}, {park['error'] or bytes_text(park['free_bytes']) + ' free'}"
    yield "variables", ", ".join(f"{name}={value}" for name, value in machine["variables"].items()) or "none"


def _trial(trial: TrialRecord) -> Iterator[tuple[str, str]]:
    done = trial["error"] or trial["exit_signal"] or UNKNOWN
    if trial["version"] is not None and trial["import_s"] is not None:
        took = f"{trial['import_s']:.1f} s, {bytes_text(trial['rss_bytes'])} resident"
        done = f"TensorFlow {trial['version']} in {took}, {trial['origin']}"
    yield "import", done
    yield "Keras", UNKNOWN if trial["keras"] is None else f"{trial['keras']} on {trial['keras_backend']}"
    described = trial["descriptions"] or {}
    yield "devices", ", ".join(f"{name} ({what or UNKNOWN})" for name, what in described.items()) or UNKNOWN
    policy, libraries = trial["policy"], trial["libraries"]
    yield "memory policy", UNKNOWN if policy is None else f"{policy['in_force']}: {policy['why']}"
    of_tensorflow = "" if libraries is None else f"{libraries['of_tensorflow']} of them TensorFlow's"
    yield "libraries", UNKNOWN if libraries is None else f"{libraries['count']}, {of_tensorflow}"
    for double in trial["duplicates"] or ():
        yield "more than once", f"{double['name']}: {', '.join(double['paths'])}"


def _jupyter(jupyter: JupyterRecord) -> Iterator[tuple[str, str]]:
    if jupyter["lab_elsewhere"] is not None:
        yield "jupyter-lab", f"of another environment: {jupyter['lab_elsewhere']}"
    if jupyter["lab"]:
        yield "Lab extension", _extension(jupyter["lab_extension"])
        yield "widget manager", _extension(jupyter["widget_manager"])
        told = {True: "enabled", False: "disabled", None: "not enabled"}
        yield "server extension", told[jupyter["server_extension"]]


def _extension(extension: LabExtensionRecord | None) -> str:
    if extension is None:
        return "not found"
    state = f"disabled: {', '.join(extension['disabled'])}" if extension["disabled"] else "enabled"
    return f"{extension['name']} {extension['version']}, {state}, {extension['folder']}"


def _kernel(kernel: KernelSpecRecord) -> str:
    if not kernel["exists"]:
        return f"{kernel['name']}: {kernel['interpreter']}, which is not there"
    here = (
        "this Python" if kernel["is_this_python"] else f"{kernel['interpreter']}, Python {kernel['python'] or UNKNOWN}"
    )
    installed = kernel["error"] or (f"tfmagic {kernel['tfmagic']}" if kernel["tfmagic"] else "no tfmagic")
    return f"{kernel['name']}: {here}, {installed}"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _from_home(text: str) -> str:
    """Return a text with the person's folder as ``~``: reports are posted, and names need not be in them."""
    home = str(Path.home())
    return text if home in {"/", ""} else text.replace(f"{home}/", "~/")
