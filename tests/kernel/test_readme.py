"""What README.md has people type runs as it stands there, in a copy of ``examples/`` and with nothing made ready."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / "README.md").read_text()
FIRST = re.findall(r"^```\n(%load_ext.*?)^```$", README, re.DOTALL | re.MULTILINE)
PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
CELLS = [block for block in PYTHON if block.startswith("%%")]
SCRIPTS = [block for block in PYTHON if not block.startswith("%%")]
# Figures of a machine and of a moment, and how they are set in columns.
FIGURE = re.compile(r"[\d.,]+ ?(?:[µm]?s|[kMG]?B)\b")


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CHECKOUT / "examples", tmp_path / "examples"))


def words(text: str) -> list[str]:
    """Return the words of each line, without figures of time and memory."""
    return [" ".join(FIGURE.sub("#", line).split()) for line in text.splitlines()]


def test_the_first_lines_and_the_cells_after_them_run_in_a_new_notebook(kernel: Kernel, examples: Path) -> None:
    kernel.ok(f"%cd -q {examples}\n%reset -f\n%unload_ext tfmagic")
    (block,) = FIRST
    typed = [line for line in block.splitlines() if not line.startswith("    ")]
    shown = [line.removeprefix("    ") for line in block.splitlines() if line.startswith("    ")]
    said = ""
    for line in typed:
        reply = kernel.ok(line)
        said += reply.stdout + "".join(f"{one['text/plain']}\n" for one in reply.results)
    assert [line for line in words("\n".join(shown)) if line not in words(said)] == [], said
    assert len(CELLS) == 2
    for cell in CELLS:
        kernel.ok(cell)
    assert kernel.value("len(losses), bool(losses[-1] < losses[0])") == "(100, True)"


def test_the_script_runs(examples: Path) -> None:
    (script,) = SCRIPTS
    for _ in range(2):
        done = subprocess.run(  # noqa: S603 - the README's own words
            [sys.executable, "-c", script], cwd=examples, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-4000:]
