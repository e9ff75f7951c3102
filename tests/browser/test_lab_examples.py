"""What ``make lab`` shows of the examples is what git keeps of them, until somebody changes one."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from browser.lab import CHECKOUT, Lab
from browser.notebook import Notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
# They are of a server of their own.
OWN_PAGES = True

NOTEBOOKS = sorted((CHECKOUT / "examples").glob("*.ipynb"))
# What JupyterLab has set of the kernel that it found, which it asks when that is there.
KNOWN = """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.info.then(info =>
  JSON.stringify(window.jupyterapp.shell.currentWidget.model.sharedModel.metadata.language_info)
    == JSON.stringify(info.language_info))"""
UNSAVED = "() => window.jupyterapp.shell.currentWidget.context.model.dirty"
SAVE = "() => window.jupyterapp.shell.currentWidget.context.save()"


class OfMake(Lab):
    """The server that ``make lab`` starts."""

    MODULE = "scripts.lab"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("examples")
    for notebook in NOTEBOOKS:
        shutil.copy(notebook, folder)
    running = OfMake(folder)
    yield running
    running.stop()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: str(path.name))
def test_an_example_that_is_looked_at_is_not_unsaved_and_saved_it_is_as_it_was(
    lab: Lab, page: Page, notebook: Path
) -> None:
    Notebook(lab, page, notebook.name).wait_until_idle()
    page.wait_for_function(KNOWN)
    assert page.evaluate(UNSAVED) is False
    page.evaluate(SAVE)
    assert (lab.folder / notebook.name).read_bytes() == notebook.read_bytes()


def test_a_change_is_saved_and_nothing_beside_it(lab: Lab, page: Page) -> None:
    notebook = NOTEBOOKS[0]
    Notebook(lab, page, notebook.name).wait_until_idle()
    page.wait_for_function(KNOWN)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.setSource('new')")
    assert page.evaluate(UNSAVED) is True
    page.evaluate(SAVE)
    expected = json.loads(notebook.read_text())
    expected["cells"][0]["source"] = ["new"]
    assert json.loads((lab.folder / notebook.name).read_text()) == expected
