"""What can be done by menu, palette and keyboard, for the kernel in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.lab import FORKED
from browser.notebook import Notebook
from browser.sidebar import model_of, sidebar, wait_for_news

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

LOAD = "%load_ext tfmagic\nimport tensorflow as tf\nv1 = tf.compat.v1"
MODEL = "%%tf_model {}\ny = v1.identity(v1.get_variable('w', [4, 1000]), name='y')"
BUTTONS = {
    "sidebar": "#tfmagic-sidebar button:text('Whole panel')",
    "status bar": ".tfm-lab-status button",
    "toolbar": ".jp-NotebookPanel-toolbar [data-jp-item-name='tfmagic'] [data-command]",
}
OF_MODELS = ("tfmagic:park", "tfmagic:wake", "tfmagic:trace", "tfmagic:drop")


def is_enabled(page: Page, command: str) -> bool:
    return bool(page.evaluate("command => window.jupyterapp.commands.isEnabled(command)", command))


def submenu(page: Page) -> None:
    """Open the menu of the kernel at what is ours."""
    page.locator(".lm-MenuBar-item", has_text="Kernel").click()
    page.locator(".lm-Menu-item", has_text="TensorFlow").hover()
    page.locator(".lm-Menu-item", has_text="Drop a TensorFlow model").wait_for()


def test_a_model_is_parked_woken_and_dropped_by_the_menu(lab: Lab, page: Page) -> None:
    lab.write("menu.ipynb", [LOAD, MODEL.format("one"), MODEL.format("two")], FORKED)
    notebook = Notebook(lab, page, "menu.ipynb")
    assert not any(is_enabled(page, command) for command in OF_MODELS)
    notebook.do("tfmagic:open-sidebar")
    for cell in range(3):
        notebook.run(cell)
    model_of(sidebar(page), "two").wait_for()
    dialog = page.get_by_role("dialog")
    for item, button, state in (("Park", "Park", "parked"), ("Wake", "Wake", "ready")):
        submenu(page)
        page.locator(".lm-Menu-item", has_text=f"{item} a TensorFlow model").click()
        dialog.get_by_text(f"%tf_model {item.lower()} NAME").wait_for()
        if item == "Park":
            dialog.get_by_role("combobox").select_option("two")
        dialog.get_by_role("button", name=button).click()
        model_of(sidebar(page), "two").get_by_text(state).first.wait_for()
    submenu(page)
    page.locator(".lm-Menu-item", has_text="Drop a TensorFlow model").click()
    dialog.get_by_role("combobox", name="%tf_model drop NAME").wait_for()
    # For good: nothing is chosen, and who only presses Enter drops nothing.
    assert dialog.get_by_role("combobox").input_value() == ""
    assert dialog.get_by_role("button", name="Drop it").is_disabled()
    page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    submenu(page)
    page.locator(".lm-Menu-item", has_text="Drop a TensorFlow model").click()
    dialog.get_by_role("combobox").select_option("one")
    page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    expect(model_of(sidebar(page), "one")).to_have_count(1)
    submenu(page)
    page.locator(".lm-Menu-item", has_text="Drop a TensorFlow model").click()
    dialog.get_by_role("combobox").select_option("one")
    drop = dialog.get_by_role("button", name="Drop it")
    expect(drop).to_contain_class("jp-mod-warn")
    drop.click()
    model_of(sidebar(page), "one").wait_for(state="detached")
    expect(model_of(sidebar(page), "two")).to_have_count(1)


def test_a_command_that_suits_no_model_says_so(lab: Lab, page: Page) -> None:
    lab.write("none.ipynb", ["%load_ext tfmagic"])
    notebook = Notebook(lab, page, "none.ipynb")
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    sidebar(page, "no-tensorflow").wait_for()
    notebook.do("tfmagic:wake")
    page.locator(".Toastify__toast", has_text="No model of this kernel is parked").wait_for()


def test_every_command_is_in_the_palette(lab: Lab, page: Page) -> None:
    lab.write("palette.ipynb", ["1"])
    (lab.folder / "model.pb").touch()
    Notebook(lab, page, "palette.ipynb")
    page.evaluate("() => window.jupyterapp.commands.execute('filebrowser:refresh')")
    page.locator(".jp-DirListing-item", has_text="model.pb").click()
    ours = "window.jupyterapp.commands.listCommands().filter(one => one.startsWith('tfmagic:'))"
    commands = set(page.evaluate(f"() => {ours}"))
    assert {*OF_MODELS, "tfmagic:open-panel", "tfmagic:open-sidebar", "tfmagic:load"} < commands
    page.keyboard.press("Control+Shift+C")
    page.locator(".lm-CommandPalette-input").fill("tensorflow")
    shown = set(
        page.evaluate("() => [...document.querySelectorAll('[data-command^=tfmagic]')].map(one => one.dataset.command)")
    )
    # That one is for what the file browser's menu was opened on, which is not seen here.
    assert shown == commands - {"tfmagic:add-file"}


def test_the_menu_offers_loading_until_it_is_loaded(lab: Lab, page: Page) -> None:
    lab.write("loading.ipynb", ["%load_ext tfmagic"])
    notebook = Notebook(lab, page, "loading.ipynb")
    notebook.do("tfmagic:open-sidebar")
    sidebar(page, "absent").wait_for()
    load = page.locator(".lm-Menu-item", has_text="Load tfmagic")
    for situation, offered in (("absent", True), ("no-tensorflow", False)):
        sidebar(page, situation).wait_for()
        submenu(page)
        assert ("lm-mod-disabled" not in (load.get_attribute("class") or "")) is offered
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        notebook.run(0)


@pytest.mark.parametrize("place", BUTTONS)
def test_a_button_opens_the_one_panel_of_the_notebook(lab: Lab, page: Page, place: str) -> None:
    # A toolbar that is narrow hides its last buttons.
    page.set_viewport_size({"width": 2400, "height": 900})
    lab.write(f"{place}.ipynb", ["%load_ext tfmagic"])
    notebook = Notebook(lab, page, f"{place}.ipynb")
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    panel = page.locator(f"[id='tfmagic-panel-{place}.ipynb']")
    assert panel.count() == 0
    page.locator(BUTTONS[place]).click()
    wait_for_news(panel, 1)
    page.locator(BUTTONS[place]).click()
    assert panel.count() == 1
    panel.get_by_role("tab", name="Libraries").wait_for()


def test_the_shortcuts_open_panel_and_sidebar_and_are_nobody_elses(lab: Lab, page: Page) -> None:
    lab.write("keys.ipynb", ["1"])
    Notebook(lab, page, "keys.ipynb")
    assert not sidebar(page).is_visible()
    page.keyboard.press("Control+Alt+Shift+G")
    sidebar(page).wait_for()
    page.keyboard.press("Control+Alt+G")
    page.locator("[id='tfmagic-panel-keys.ipynb']").wait_for()
    bindings = page.evaluate(
        "() => window.jupyterapp.commands.keyBindings.map(one => [one.keys.join(' '), one.command])"
    )
    ours = {keys for keys, command in bindings if command.startswith("tfmagic:")}
    assert len(ours) == 2
    assert [command for keys, command in bindings if keys in ours and not command.startswith("tfmagic:")] == []
