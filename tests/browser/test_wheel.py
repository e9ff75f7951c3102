"""What is installed: the wheel in an environment without Node shows the sidebar."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser.lab import CHECKOUT, Lab
from browser.notebook import Notebook
from browser.sidebar import sidebar, wait_for_news

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
# Each server is a test's own.
OWN_PAGES = True

BUNDLE = "share/jupyter/labextensions/@tfmagic/lab/static/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, CHECKOUT)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with the wheel in it; its other packages are those of this one, tfmagic's checkout apart."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib"))
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    return python


def run(*command: str | Path) -> str:
    """Run a command, and return all that it says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT.parent)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(autouse=True)
def _only_that_environment(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(python.parent))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    # JupyterLab's own page, which is where its package was installed.
    monkeypatch.setenv("JUPYTERLAB_DIR", str(Path(sys.prefix) / "share" / "jupyter" / "lab"))


def test_what_is_shipped_to_jupyterlab_is_at_most_150_kb(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        sizes = [one.file_size for one in files.infolist() if BUNDLE in one.filename]
    assert sizes
    assert sum(sizes) <= 150_000


def test_both_extensions_are_found_and_enabled(python: Path) -> None:
    page = run(python, "-m", "jupyterlab.labextensions", "list")
    (ours,) = [line for line in page.splitlines() if "@tfmagic/lab" in line]
    assert "enabled" in ours
    assert "OK" in ours
    server = run(python, "-m", "jupyter_server.extension.serverextension", "list")
    assert re.search(r"tfmagic\W+(\x1b\[\d*m)*\s*enabled", server)


def test_the_sidebar_appears_and_lives(python: Path, chromium: Browser, tmp_path: Path) -> None:
    assert not [one for one in os.environ["PATH"].split(os.pathsep) if (Path(one) / "node").exists()]
    lab = Lab(tmp_path, python=python)
    page = chromium.new_page()
    lab.write("wheel.ipynb", ["%load_ext tfmagic\nimport tfmagic\ntfmagic.__file__"])
    notebook = Notebook(lab, page, "wheel.ipynb")
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    wait_for_news(sidebar(page, "no-tensorflow"))
    assert str(python.parents[1]) in notebook.output(0)
    page.close()
    lab.stop()
