"""Notebooks that nobody watches: papermill's parameters, and an error that stops papermill and nbclient."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import nbformat
import pytest
from forking import kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

CHECKOUT = Path(__file__).resolve().parents[2]
MODELS = CHECKOUT / "examples" / "models"
PARAMETERS = "model = 'nowhere.pb'\nimages = 1"
USE = [
    "%load_ext tfmagic",
    "%tf_model add net (model)",
    "import numpy as np\n%tf_run net np.zeros([images, 64], 'float32') -o answer",
    "answer.shape",
]
LAST = "print('the last cell')"


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return written(tmp_path / "in.ipynb", [PARAMETERS, *USE, LAST])


def written(path: Path, cells: Sequence[str]) -> Path:
    new: Any = nbformat.v4
    content = new.new_notebook(
        cells=[new.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "python3", "language": "python"}},
    )
    content.cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(content, path)  # type: ignore[no-untyped-call]
    return path


class Run(Protocol):
    def __call__(self, *words: str | Path) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a program that runs notebooks."""
    environment = kernels.environment(tmp_path_factory.mktemp("kernels"))
    environment["PYTHONPATH"] += f"{os.pathsep}{CHECKOUT}"

    def running(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603

    return running


def said(path: Path) -> list[str]:
    """Return what the cells of a notebook that was run have printed or given, in one text a cell."""
    notebook: Any = nbformat.read(path, 4)  # type: ignore[no-untyped-call]
    texts = []
    for cell in notebook.cells:
        parts = [out.get("text") or out.get("evalue") or out["data"]["text/plain"] for out in cell.get("outputs", ())]
        texts.append("".join(parts))
    return texts


def test_papermill_hands_parameters_over(run: Run, notebook: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    done = run("papermill", notebook, out, "-p", "model", MODELS / "digits_2019.pb", "-p", "images", "3")
    assert done.returncode == 0, done.stderr
    cells = said(out)
    assert "(3, 10)" in cells[-2]
    assert cells[-1] == "the last cell\n"


def test_an_error_stops_papermill_and_its_notebook_says_what_was_wrong(
    run: Run, notebook: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.ipynb"
    done = run("papermill", notebook, out)
    assert done.returncode != 0
    # One-line errors have no traceback, and that is all that papermill itself would print.
    (wrong,) = [text for text in said(out) if "nowhere.pb" in text]
    assert wrong.startswith("UsageError: there is nothing at ")
    assert said(out)[-1] == "", "the last cell was not run"


def test_an_error_stops_nbclient_which_says_what_was_wrong(run: Run, notebook: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    done = run("jupyter", "execute", "--output", out.with_suffix(""), notebook)
    assert done.returncode != 0
    assert "UsageError: there is nothing at " in done.stderr
    assert not out.exists()


def test_nbclient_runs_a_notebook_to_its_end(run: Run, tmp_path: Path) -> None:
    cells = [f"model = {str(MODELS / 'digits')!r}\nimages = 2", *USE, LAST]
    out = tmp_path / "out.ipynb"
    done = run("jupyter", "execute", "--output", out.with_suffix(""), written(tmp_path / "in.ipynb", cells))
    assert done.returncode == 0, done.stderr
    assert "(2, 10)" in said(out)[-2]
    assert said(out)[-1] == "the last cell\n"
