"""The report on this environment: facts, section by section, and the troubles that they show."""

from __future__ import annotations

import time
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.errors import first_line

if TYPE_CHECKING:
    from tfmagic.checkup.jupyter import JupyterRecord
    from tfmagic.checkup.kernels import KernelSpecRecord
    from tfmagic.checkup.machine import MachineRecord
    from tfmagic.checkup.trial import TrialRecord
    from tfmagic.checkup.troubles.trouble import Trouble
    from tfmagic.checkup.versions import InstalledRecord, UnmetRecord
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


class FailureRecord(TypedDict):
    """A section that could not be made, and the first line of the error."""

    section: str
    error: str


class Report(TypedDict):
    """Everything about this environment. A section that failed is None, and `failed` says why.

    `requirements` are those unmet, None also where they cannot be checked; `trial` is how
    importing TensorFlow went in a process of its own; `kernels` are the Python kernels that
    Jupyter offers, None also without Jupyter; `schemas` are the versions of tfmagic's records.
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
    schemas: dict[str, int] | None
    failed: list[FailureRecord]
    troubles: list[Trouble]


def report(timeout_s: float = PATIENCE_S) -> Report:
    """Make every section, TensorFlow's within `timeout_s`; a failure is noted in the report, and not raised."""
    failed: list[FailureRecord] = []

    def section(name: str, place: str, *arguments: object) -> Any:
        # Imported here: a section may itself need what is broken.
        try:
            return resolve_name(place)(*arguments)
        except Exception as error:  # noqa: BLE001 - what is wrong here is the question
            failed.append({"section": name, "error": first_line(error)})
            return None

    trial = section("trial", "tfmagic.checkup.trial:trial_record", timeout_s)
    devices = None if trial is None else trial["devices"]
    gpus = None if devices is None else [device for device in devices if device.startswith("GPU:")]
    result: Report = {
        "schema": SCHEMA,
        "time_s": time.time(),
        "versions": section("versions", "tfmagic.checkup.versions:versions_record"),
        "requirements": section("requirements", "tfmagic.checkup.versions:unmet_requirements"),
        "machine": section("machine", "tfmagic.checkup.machine:machine_record"),
        "trial": trial,
        "gpu": section("gpu", "tfmagic.runtime.libraries.gpu:gpu_record", (), gpus),
        "jupyter": section("jupyter", "tfmagic.checkup.jupyter:jupyter_record"),
        "kernels": section("kernels", "tfmagic.checkup.kernels:kernel_specs"),
        "schemas": section("schemas", "tfmagic.checkup.report:schemas"),
        "failed": failed,
        "troubles": [],
    }
    for place in _TROUBLES:
        result["troubles"] += section(place.rpartition(".")[2], f"{place}:troubles", result) or []
    return result


def schemas() -> dict[str, int]:
    """Return the versions of the records that this tfmagic sends."""
    from tfmagic.panel.channel import requests
    from tfmagic.panel.snapshot import memory_history as history
    from tfmagic.panel.snapshot import snapshot

    return {"snapshot": snapshot.SCHEMA, "history": history.SCHEMA, "requests": requests.SCHEMA}


def is_healthy(record: Report) -> bool:
    """Return whether every section could be made, and none shows a trouble."""
    return not record["troubles"] and not record["failed"]
