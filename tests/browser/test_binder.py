"""The Binder: its environment is made from its files alone, its demo fits, and JupyterLab 4.4 there has the sidebar."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from browser.lab import CHECKOUT, Lab
from browser.notebook import Notebook
from browser.sidebar import sidebar, wait_for_news

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser

# On a machine with much to do, the environment takes minutes.
pytestmark = pytest.mark.timeout(900)
# Each server is a test's own.
OWN_PAGES = True

BINDER = CHECKOUT / "binder"
FIGURES = re.compile(r"(a kernel each|one kernel, tfmagic) +([\d.]+) +([\d.]+)")


def check(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, CHECKOUT / "scripts" / "check_binder.py", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - these fixed words


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Make the environment and run the demo in it, once for this file."""
    environment = tmp_path_factory.mktemp("binder") / "venv"
    return environment, check("binder/demo.ipynb", "--environment", environment)


@pytest.mark.slow
@pytest.mark.kernel
def test_a_fresh_environment_takes_the_files_and_the_demo_fits(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    done = first[1]
    assert done.returncode == 0, done.stdout + done.stderr
    peak = re.search(r"demo\.ipynb ran; (\d+) MB in use at most, of 2000 MB", done.stdout)
    assert peak
    assert 300 < int(peak[1]) < 2000
    figures = {row[1]: float(row[2]) for row in FIGURES.finditer(done.stdout)}
    assert figures["one kernel, tfmagic"] < figures["a kernel each"] / 3


@pytest.mark.slow
@pytest.mark.kernel
def test_nothing_is_missing_there_for_the_extras(first: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    pip = [str(first[0] / "bin" / "python"), "-m", "pip"]
    # With no index to look in, all that the extras ask for has to be there.
    extras = ["install", "--dry-run", "--no-index", "tfmagic[cpu,lab,examples]"]
    for words in (["check"], extras):
        done = subprocess.run([*pip, *words], capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.kernel
def test_what_does_not_fit_fails_the_check(first: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    done = check("binder/demo.ipynb", "--environment", first[0], "--limit-mb", "300")
    assert done.returncode == 1
    assert re.search(r"tfmagic: binder/demo\.ipynb (failed under|takes)", done.stderr)


@pytest.mark.slow
@pytest.mark.kernel
def test_its_jupyterlab_shows_the_sidebar(
    first: tuple[Path, subprocess.CompletedProcess[str]],
    chromium: Browser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", f"{first[0] / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    lab = Lab(tmp_path, python=first[0] / "bin" / "python")
    lab.write("binder.ipynb", ["%load_ext tfmagic\nimport tfmagic\ntfmagic.__file__"])
    page = chromium.new_page()
    notebook = Notebook(lab, page, "binder.ipynb")
    assert page.evaluate("window.jupyterapp.version") == "4.4.9"
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    wait_for_news(sidebar(page, "no-tensorflow"))
    assert str(first[0]) in notebook.output(0)
    page.close()
    lab.stop()


def test_everything_is_pinned_and_new_enough() -> None:
    lines = (BINDER / "requirements.txt").read_text().splitlines()
    pinned = [Requirement(line) for line in lines if not line.startswith(("#", "--"))]
    assert "--only-binary :all:" in lines, "nothing is compiled"
    assert all(str(one.specifier).startswith("==") for one in pinned)
    versions = {one.name.replace("_", "-"): str(one.specifier).removeprefix("==") for one in pinned}
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = map(Requirement, project["dependencies"] + extras["cpu"] + extras["lab"] + extras["examples"])
    there = [one for one in asked if one.name in versions]
    assert {"tensorflow-cpu", "numpy", "tqdm", "anywidget"} <= {one.name for one in there}
    assert all(one.specifier.contains(versions[one.name]) for one in there)
    python = (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")
    assert SpecifierSet(project["requires-python"]).contains(python)


def test_post_build_can_be_run_and_the_demo_is_kept_without_outputs() -> None:
    assert os.access(BINDER / "postBuild", os.X_OK)
    demo = nbformat.read(BINDER / "demo.ipynb", 4)  # type: ignore[no-untyped-call]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in demo.cells)
