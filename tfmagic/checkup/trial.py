"""Imports TensorFlow in a process of its own, which may crash, hang or print."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, TypedDict

from tfmagic.runtime.memory.policy import SETTINGS, memory_policy

START = "start"
"""The step before the first: Python itself, and tfmagic's own modules."""

_SHOWN_LINES = 12
_CODE = """
import sys
sys.path += [folder for folder in sys.argv[2:] if folder not in sys.path]
from tfmagic.checkup.trial_steps import main
main(sys.argv[1])
"""


class TrialRecord(TypedDict):
    """How the trial went. What follows a failed step is None: not known.

    `origin` is the file that ``import tensorflow`` finds, and `is_tensorflow` whether that is
    TensorFlow, not another of the same name. Where Keras cannot be imported, `keras_backend`
    is what its settings name. `rss_bytes` is after the import. `devices` are those after a
    first operation. `policy`, `libraries` and `duplicates` are as in `PolicyRecord`,
    `LibrariesSummary` and `DuplicateRecord`; `through` has by environment variable the loaded
    libraries that were found through it. `failed_step` is ``start``, ``import``, ``keras``,
    ``devices`` or ``libraries``; then `error` is the last line of the exception, and `stderr`
    the last lines written there.
    """

    origin: str | None
    is_tensorflow: bool | None
    version: str | None
    keras: str | None
    keras_backend: str | None
    import_s: float | None
    rss_bytes: int | None
    devices: list[str] | None
    descriptions: dict[str, str | None] | None
    policy: dict[str, Any] | None
    libraries: dict[str, Any] | None
    duplicates: list[dict[str, Any]] | None
    through: dict[str, list[str]] | None
    failed_step: str | None
    error: str | None
    exit_signal: str | None
    timed_out_s: float | None
    stderr: list[str]


def trial_record(timeout_s: float) -> TrialRecord:
    """Import TensorFlow and run one operation in a process with this one's environment and working directory."""
    record: Any = dict.fromkeys(TrialRecord.__annotations__) | {"stderr": []}
    with tempfile.TemporaryDirectory() as folder:
        answers, stderr = Path(folder, "answers"), Path(folder, "stderr")
        answers.write_text(json.dumps({"failed_step": START}) + "\n", encoding="utf-8")
        with stderr.open("wb") as written:
            record |= _ended(answers, written, timeout_s)
        # Each step writes its name when it begins, and removes it when it has ended.
        for line in answers.read_text(encoding="utf-8").splitlines():
            record |= json.loads(line)
        if record["failed_step"] is not None:
            lines = stderr.read_text(encoding="utf-8", errors="replace").splitlines()
            record["stderr"] = lines[-_SHOWN_LINES:]
            if record["failed_step"] == START and lines:
                record["error"] = lines[-1]
    result: TrialRecord = record
    return result


def _ended(answers: Path, stderr: Any, timeout_s: float) -> dict[str, Any]:
    command = [sys.executable, "-X", "faulthandler", "-c", _CODE, str(answers), *sys.path]
    # The environment as the person has set it, without what tfmagic has set in this process.
    own = memory_policy().record()["variables"]
    environment = {
        name: value for name, value in os.environ.items() if not (name in SETTINGS and own.get(name) == value)
    }
    # A process group of its own: its children end with it.
    child = subprocess.Popen(  # noqa: S603 - this Python, our own code
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        env=environment,
        start_new_session=True,
    )
    try:
        status = child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return {"timed_out_s": timeout_s}
    finally:
        _end(child)
    if status >= 0:
        return {}
    names = {number.value: number.name for number in signal.Signals}
    return {"exit_signal": names.get(-status, f"signal {-status}")}


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        if os.name == "nt":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
