"""What CONTRIBUTING.md promises: its targets, its files, its source; and the hooks before a commit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
TEXT = (CHECKOUT / "CONTRIBUTING.md").read_text()
USE = """
import numpy as np
from tfmagic import models
from tfmagic.magics.completion.paths import paths
np.savez("linear.npz", w=np.array([[1.0], [2.0]], "float32"), b=np.float32([0.5]))
record = models.inspect("linear.npz")
print(record["kind"], record["variables"], record["weights_bytes"])
print([offer.text for offer in paths("lin", quoted=False).items])
print(models.add("net", "linear.npz").source.kind)
print(models.net([[1.0, 1.0]]).tolist())
models.net.park()
print(models.net(np.ones([2, 2], "float32")).tolist())
models.net.save("net.pb")
models.add("again", "net.pb")
print(models.again([[2.0, 0.0]]).tolist())
"""


def test_every_target_and_file_that_it_names_is_there() -> None:
    makefile = (CHECKOUT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z]+)", TEXT)) - {"calls"} <= targets
    named = set(re.findall(r"`((?:tfmagic|tests|scripts|benchmarks|labextension|recipe|binder)/[\w./]*)`", TEXT))
    assert len(named) > 5
    assert all((CHECKOUT / path).exists() for path in named)


def test_every_file_that_the_map_names_is_in_its_room() -> None:
    rows = re.findall(r"^\| `([\w/]+/)` \| (.*) \|$", TEXT, re.MULTILINE)
    named = [room + name for room, text in rows for name in re.findall(r"`(\w+\.\w+)`", text)]
    assert len(named) > 15
    assert [path for path in named if not (CHECKOUT / path).exists()] == []


def test_the_map_has_every_room() -> None:
    rooms = {path.parent for path in (CHECKOUT / "tfmagic").rglob("*.py")} - {CHECKOUT / "tfmagic"}
    # What `tfmagic doctor` knows is a room with one more inside.
    inner = {CHECKOUT / "tfmagic" / "checkup" / "troubles"}
    missing = [room for room in rooms - inner if f"| `{room.relative_to(CHECKOUT)}/` |" not in TEXT]
    assert missing == []


@pytest.mark.slow
def test_the_source_that_it_adds_works(tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "tfmagic", tmp_path / "tfmagic", ignore=shutil.ignore_patterns("__pycache__"))
    (file,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (line,) = re.findall(r"```diff\n\+(.*\n)```", TEXT)
    where, _, code = file.partition("\n")
    (tmp_path / where.removeprefix("# ")).write_text(code)
    kinds = tmp_path / "tfmagic" / "formats" / "kinds.py"
    before, beginning, after = kinds.read_text().partition("FILES = (\n")
    kinds.write_text(before + beginning + line + after)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(  # noqa: S603 - the test's own code
        [sys.executable, "-c", dedent(USE)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "linear model 2 12",
        "['linear.npz']",
        "linear model",
        "[[3.5]]",
        "[[3.5], [3.5]]",
        "[[2.5]]",
    ]


def test_the_hooks_before_a_commit_are_local_and_call_what_is_there() -> None:
    config = CHECKOUT / ".pre-commit-config.yaml"
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(config)]
    assert subprocess.run(command, check=False).returncode == 0  # noqa: S603 - fixed words
    (local,) = yaml.safe_load(config.read_text())["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        program, *words = hook["entry"].split()
        assert program.startswith(".venv/bin/") or program == "make"
        assert all((CHECKOUT / word).exists() for word in words if word.endswith(".py"))
