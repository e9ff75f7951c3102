"""A model from JupyterLab's file browser: the cell that adds it is in the notebook, and has run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from factories import frozen_linear, save_linear_v1

from browser.lab import FORKED
from browser.notebook import Notebook
from browser.sidebar import model_of, sidebar

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

ITEM = "Add to kernel as TF model"


@pytest.fixture(scope="module", autouse=True)
def models(lab: Lab) -> None:
    """Put models beside the notebooks, and what is none."""
    kept = lab.folder / "kept"
    kept.mkdir()
    save_linear_v1(kept / "it's 1 model")
    for version in ("1", "2"):
        save_linear_v1(kept / "served" / version)
    frozen_linear(kept / "drop.pb")
    for name in ("net.keras", "net.h5", "notes.txt"):
        (kept / name).write_text("nothing")
    (kept / "pictures").mkdir()


def menu(page: Page, name: str) -> None:
    """Open the context menu of what is in the folder of models."""
    page.evaluate("() => window.jupyterapp.commands.execute('filebrowser:go-to-path', { path: 'kept' })")
    page.locator(".jp-DirListing-item", has_text=name).click(button="right")
    page.get_by_role("menuitem", name="Rename").wait_for()


def add(page: Page, name: str) -> None:
    menu(page, name)
    page.get_by_role("menuitem", name=ITEM).click()


def cells(page: Page) -> list[str]:
    sources: list[str] = page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.widgets.map(cell => cell.model.sharedModel.getSource())"
    )
    return sources


def test_a_cell_that_adds_it_is_put_below_the_active_one_and_run(lab: Lab, page: Page) -> None:
    lab.write("adding.ipynb", ["# first", "# last"], FORKED)
    notebook = Notebook(lab, page, "adding.ipynb")
    notebook.do("tfmagic:open-sidebar")
    add(page, "it's 1 model")
    model_of(sidebar(page), "it_s_1_model").wait_for()
    added = ["%load_ext tfmagic", '%tf_model add it_s_1_model "kept/it\'s 1 model"']
    assert cells(page) == ["# first", "\n".join(added), "# last"]
    assert "it_s_1_model added" in notebook.output(1)
    # The second time tfmagic is there, and so is a model of this name.
    add(page, "it's 1 model")
    model_of(sidebar(page), "it_s_1_model_2").wait_for()
    # A verb cannot be a name.
    add(page, "drop.pb")
    model_of(sidebar(page), "drop_model").wait_for()
    second, third = '%tf_model add it_s_1_model_2 "kept/it\'s 1 model"', "%tf_model add drop_model 'kept/drop.pb'"
    assert cells(page) == ["# first", "\n".join(added), second, third, "# last"]


def test_a_folder_of_versions_is_added_and_the_kernel_takes_the_highest(lab: Lab, page: Page) -> None:
    lab.write("versions.ipynb", ["1"], FORKED)
    Notebook(lab, page, "versions.ipynb").do("tfmagic:open-sidebar")
    add(page, "served")
    model_of(sidebar(page), "served").wait_for()
    assert cells(page)[1].splitlines()[-1] == "%tf_model add served 'kept/served'"


def test_the_cell_that_adds_it_is_scrolled_into_view(lab: Lab, page: Page) -> None:
    lab.write("long.ipynb", [f"# cell {number}\n" + "\n" * 8 for number in range(40)], FORKED)
    notebook = Notebook(lab, page, "long.ipynb")
    notebook.do("tfmagic:open-sidebar")
    # The active one is the last that is seen.
    page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 3; }")
    add(page, "it's 1 model")
    page.wait_for_function(
        "() => { const { content } = window.jupyterapp.shell.currentWidget; const { activeCell } = content;"
        " if (activeCell.model.outputs.length === 0) return false;"
        " const [cell, room] = [activeCell.node, content.node].map(node => node.getBoundingClientRect());"
        " return cell.height > 0 && cell.top >= room.top && cell.bottom <= room.bottom + 1; }"
    )


def test_the_path_is_as_the_notebook_sees_it(lab: Lab, page: Page) -> None:
    (lab.folder / "work").mkdir()
    lab.write("work/deep.ipynb", ["1"], FORKED)
    lab.write("shallow.ipynb", ["1"], FORKED)
    notebook = Notebook(lab, page, "shallow.ipynb")
    notebook.do("tfmagic:open-sidebar")
    notebook.do("docmanager:open", path="work/deep.ipynb")
    sidebar(page, "absent").get_by_text("work/deep.ipynb").wait_for()
    add(page, "drop.pb")
    model_of(sidebar(page), "drop_model").wait_for()
    assert cells(page)[1].splitlines()[-1] == "%tf_model add drop_model '../kept/drop.pb'"


def test_only_what_may_be_a_model_has_the_menu_item(lab: Lab, page: Page) -> None:
    lab.write("menus.ipynb", ["1"])
    Notebook(lab, page, "menus.ipynb")
    found = {}
    for name in ("net.keras", "net.h5", "drop.pb", "pictures", "notes.txt"):
        menu(page, name)
        found[name] = page.get_by_role("menuitem", name=ITEM).count()
        page.keyboard.press("Escape")
    assert found == {"net.keras": 1, "net.h5": 1, "drop.pb": 1, "pictures": 1, "notes.txt": 0}


def test_what_cannot_be_added_is_said_and_leaves_the_notebook_as_it_is(lab: Lab, page: Page) -> None:
    lab.write("refused.ipynb", ["1"], kernel="other")
    Notebook(lab, page, "refused.ipynb")
    add(page, "pictures")
    page.get_by_role("dialog").get_by_text("pictures is no SavedModel: there is no saved_model.pb").wait_for()
    page.keyboard.press("Escape")
    add(page, "drop.pb")
    page.get_by_role("dialog").get_by_text("refused.ipynb has no Python kernel").wait_for()
    page.keyboard.press("Escape")
    assert cells(page) == ["1"]
    page.evaluate("() => window.jupyterapp.shell.currentWidget.dispose()")
    page.locator(".jp-NotebookPanel").wait_for(state="detached")
    add(page, "drop.pb")
    page.get_by_role("dialog").get_by_text("No notebook is in front").wait_for()
