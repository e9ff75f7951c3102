"""The extension and the panel in releases of JupyterLab and Notebook before the newest, the oldest admitted first."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser.lab import CHECKOUT, Lab, Notebook7
from browser.notebook import Notebook
from browser.sidebar import model_of, sidebar, wait_for_news

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
# Each server is a test's own.
OWN_PAGES = True

LOAD = "%load_ext tfmagic\nimport tensorflow as tf\nv1 = tf.compat.v1"
MODEL = "%%tf_model one\ny = v1.identity(v1.get_variable('w', [4, 1000]), name='y')"


@pytest.fixture(scope="module")
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with the wheel and packages of a release; its other packages are those of this one."""
    folder = tmp_path_factory.mktemp("releases")
    venv.create(folder)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-compile"]
    pip += ["--disable-pip-version-check"]
    for words in (request.param, ["--no-build-isolation", str(CHECKOUT)]):
        done = subprocess.run([*pip, *words], capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
        assert done.returncode == 0, done.stderr
    # Widgets are drawn by extensions of JupyterLab, which lie outside the packages.
    for name in ("anywidget", "@jupyter-widgets"):
        here, there = (Path(prefix) / "share" / "jupyter" / "labextensions" / name for prefix in (sys.prefix, folder))
        there.symlink_to(here)
    return python


@pytest.fixture(autouse=True)
def _only_that_environment(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{python.parent}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("python", "server", "version"),
    [
        (["jupyterlab==4.4.0"], Lab, "4.4.0"),
        (["jupyterlab==4.5.*", "notebook==7.5.*"], Lab, "4.5"),
        (["jupyterlab==4.5.*", "notebook==7.5.*"], Notebook7, "7.5"),
    ],
    indirect=["python"],
)
def test_sidebar_and_panel_are_live(server: type[Lab], version: str, python: Path, page: Page, tmp_path: Path) -> None:
    running = server(tmp_path, python=python)
    running.write("one.ipynb", [LOAD, MODEL, "%tf_panel", "%tf_panel --sidebar"])
    notebook = Notebook(running, page, "one.ipynb")
    assert page.evaluate("window.jupyterapp.version").startswith(version)
    for cell in range(4):
        notebook.run(cell)
    model_of(sidebar(page, "there"), "one").wait_for()
    wait_for_news(sidebar(page))
    panel = notebook.cell(2).locator("section.tfm, .tfm[aria-label]").first
    panel.get_by_role("tab", name="Models").click()
    panel.locator("button[aria-label^='Drop'][aria-label*='one']").first.wait_for()
    running.stop()
