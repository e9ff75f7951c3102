"""The report: what is so here, section by section, and what of it is likely to be trouble."""

from __future__ import annotations

import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from tfmagic.checkup.jupyter import JupyterRecord
    from tfmagic.checkup.kernels import KernelSpecRecord
    from tfmagic.checkup.machine import MachineRecord
    from tfmagic.checkup.requirements import UnmetRecord
    from tfmagic.checkup.trial import TrialRecord
    from tfmagic.checkup.troubles.trouble import Trouble
    from tfmagic.checkup.versions import InstalledRecord
    from tfmagic.runtime.libraries.gpu import GpuRecord

SCHEMA = 1
"""Raised whenever a field goes or changes its meaning; a field more is no new version."""

PATIENCE_S = 180.0
"""How long TensorFlow may take to be imported, and to run one operation."""

_TROUBLES = (
    "tfmagic.checkup.troubles.tensorflow",
    "tfmagic.checkup.troubles.jupyter",
    "tfmagic.checkup.troubles.machine",
)


class SchemasRecord(TypedDict):
    """The versions of the records that a kernel and a page exchange."""

    snapshot: int
    history: int
    requests: int


class FailureRecord(TypedDict):
    """A section that could not be made.

    Attributes
    ----------
    section
        Its name.
    error
        Why, in a line.
    """

    section: str
    error: str


class Report(TypedDict):
    """What there is to know about this environment. A section that failed is None, and ``failed`` says why.

    Attributes
    ----------
    schema
        The version of this record.
    time_s
        Seconds since the epoch.
    versions
        What is installed.
    requirements
        What is asked for and not there; None, too, where that cannot be told.
    machine
        The machine, its memory, and the environment's variables.
    trial
        How importing TensorFlow went in a process of its own.
    gpu
        Why a GPU is or is not used.
    jupyter
        What JupyterLab and its server find of tfmagic.
    kernels
        The Python kernels that Jupyter offers; None, too, without Jupyter.
    schemas
        The versions of tfmagic's own records.
    failed
        The sections that could not be made.
    troubles
        What is likely to be wrong, and what to type.
    """

    schema: int
    time_s: float
    versions: InstalledRecord | None
    requirements: list[UnmetRecord] | None
    machine: MachineRecord | None
    trial: TrialRecord | None
    gpu: GpuRecord | None
    jupyter: JupyterRecord | None
    kernels: list[KernelSpecRecord] | None
    schemas: SchemasRecord | None
    failed: list[FailureRecord]
    troubles: list[Trouble]


def report(timeout_s: float = PATIENCE_S) -> Report:
    """Look at everything; what fails is noted in the report, and nothing is raised.

    Parameters
    ----------
    timeout_s
        How long TensorFlow may take to be imported, and to run one operation.
    """
    failed: list[FailureRecord] = []

    def section(name: str, place: str, *arguments: object) -> Any:
        # Imported here: what is wrong may be what a section itself needs.
        module, _, function = place.rpartition(".")
        try:
            return getattr(import_module(module), function)(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever is wrong here is what was asked for
            failed.append({"section": name, "error": _line(error)})
            return None

    trial = section("trial", "tfmagic.checkup.trial.trial_record", timeout_s)
    made: Report = {
        "schema": SCHEMA,
        "time_s": time.time(),
        "versions": section("versions", "tfmagic.checkup.versions.versions_record"),
        "requirements": section("requirements", "tfmagic.checkup.requirements.unmet_requirements"),
        "machine": section("machine", "tfmagic.checkup.machine.machine_record"),
        "trial": trial,
        "gpu": section("gpu", "tfmagic.runtime.libraries.gpu.gpu_record", (), _gpus_in_use(trial)),
        "jupyter": section("jupyter", "tfmagic.checkup.jupyter.jupyter_record"),
        "kernels": section("kernels", "tfmagic.checkup.kernels.kernel_specs"),
        "schemas": section("schemas", "tfmagic.checkup.report.schemas"),
        "failed": failed,
        "troubles": [],
    }
    for place in _TROUBLES:
        made["troubles"] += section(place.rpartition(".")[2], f"{place}.troubles", made) or []
    return made


def schemas() -> SchemasRecord:
    """Return the versions of the records that this tfmagic sends."""
    from tfmagic.panel.channel import requests
    from tfmagic.panel.snapshot import memory_history as history
    from tfmagic.panel.snapshot import snapshot

    return {"snapshot": snapshot.SCHEMA, "history": history.SCHEMA, "requests": requests.SCHEMA}


def is_healthy(made: Report) -> bool:
    """Return whether everything could be looked at, and nothing was found."""
    return not made["troubles"] and not made["failed"]


def _gpus_in_use(trial: TrialRecord | None) -> list[str] | None:
    if trial is None or trial["devices"] is None:
        return None
    return [one for one in trial["devices"] if one.startswith("GPU:")]


def _line(error: BaseException) -> str:
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
