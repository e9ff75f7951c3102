"""The extension of JupyterLab for whoever has no mouse, another theme, or a screen reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.lab import FORKED
from browser.notebook import Notebook
from browser.panel_page import AXE, TABS, open_tab
from browser.sidebar import model_of, sidebar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

LOAD = "%load_ext tfmagic\nimport tensorflow as tf\nv1 = tf.compat.v1"
MODEL = """
%%tf_model {name}
x = v1.placeholder(tf.float32, [None, 4], "x")
w = v1.get_variable("w", [4, 250_000])
y = tf.reduce_sum(tf.matmul(x, w), name="y")
"""
THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast", "forced colours")


@pytest.fixture(scope="module")
def page(lab: Lab, chromium: Browser) -> Iterator[Page]:
    """Show a notebook with two models between its panel and the sidebar."""
    context = chromium.new_context(viewport={"width": 1500, "height": 900})
    page = context.new_page()
    lab.write("access.ipynb", [LOAD, *(MODEL.format(name=name).strip() for name in ("one", "two"))], FORKED)
    lab.write("bare.ipynb", ["1"])
    notebook = Notebook(lab, page, "access.ipynb")
    notebook.do("tfmagic:open-sidebar")
    for cell in range(3):
        notebook.run(cell)
    model_of(sidebar(page), "two").wait_for()
    notebook.do("tfmagic:open-panel")
    panel_of(page).get_by_role("tab", name="Overview").wait_for()
    page.add_script_tag(path=AXE)
    yield page
    # The server keeps the theme for the pages of others.
    dress(page, THEMES[0])
    context.close()
    lab.end_kernels()


def panel_of(page: Page) -> Locator:
    return page.locator("[id='tfmagic-panel-access.ipynb']")


def dress(page: Page, theme: str) -> None:
    forced = theme == "forced colours"
    page.emulate_media(forced_colors="active" if forced else "none")
    page.evaluate(
        "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
        "JupyterLab Light" if forced else theme,
    )
    page.wait_for_function(
        "theme => document.body.dataset.jpThemeName === theme", arg=theme if not forced else THEMES[0]
    )
    page.wait_for_timeout(500)


def faults(place: Locator) -> list[list[str]]:
    found: list[list[str]] = place.evaluate(
        "async place => (await axe.run(place)).violations.map(one => [one.id, one.nodes[0].html])"
    )
    return found


@pytest.mark.parametrize("theme", THEMES)
def test_no_part_has_an_accessibility_fault(page: Page, theme: str) -> None:
    dress(page, theme)
    assert faults(sidebar(page)) == []
    assert faults(page.locator(".tfm-lab-status")) == []
    for tab in TABS:
        open_tab(page, tab, panel_of(page))

        assert faults(panel_of(page)) == [], tab


def test_the_button_that_loads_tfmagic_has_no_accessibility_fault(page: Page) -> None:
    notebook_of(page, "bare.ipynb")
    sidebar(page, "absent").get_by_role("button", name="Load tfmagic").wait_for()
    for theme in THEMES:
        dress(page, theme)
        assert faults(sidebar(page)) == [], theme
    notebook_of(page, "access.ipynb")
    model_of(sidebar(page), "one").wait_for()


def notebook_of(page: Page, name: str) -> None:
    """Bring a notebook to the front."""
    page.evaluate("path => window.jupyterapp.commands.execute('docmanager:open', { path })", name)


def focused(page: Page) -> str:
    """Return what has the focus, by the name that it is called; it has to be seen that it has."""
    page.wait_for_timeout(100)
    found: list[str] = page.evaluate(
        "() => { const e = document.activeElement, style = getComputedStyle(e);"
        " return [e === document.body ? 'nothing' : e.ariaLabel ?? e.textContent, style.outlineStyle,"
        " style.outlineWidth]; }"
    )
    name, line, width = found
    assert line != "none", f"the focus is not seen at {name}"
    assert width != "0px", f"the focus is not seen at {name}"
    return name


def go_to(page: Page, *wanted: str) -> None:
    """Press Tab until one of those has the focus."""
    for _ in range(30):
        page.keyboard.press("Tab")
        found = focused(page)
        if any(one in found for one in wanted):
            return
    msg = f"Tab does not lead to {wanted}"
    raise AssertionError(msg)


def choose(page: Page, command: str) -> None:
    """Choose a command in the palette."""
    page.keyboard.press("Control+Shift+C")
    page.locator(".jp-ModalCommandPalette input").wait_for()
    page.keyboard.type(command)
    expect(page.locator(".jp-ModalCommandPalette .lm-CommandPalette-item.lm-mod-active")).to_contain_text(command)
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)


def test_models_are_parked_and_dropped_by_keyboard_alone_and_the_focus_is_never_lost(page: Page) -> None:
    dress(page, THEMES[0])
    choose(page, "Show the TensorFlow sidebar")
    go_to(page, "Park")
    page.keyboard.press("Enter")
    model_of(sidebar(page), "one").get_by_role("button", name="Wake").wait_for()
    assert "Wake" in focused(page)
    go_to(page, "Drop")
    page.keyboard.press("Enter")
    assert focused(page) == "Keep"
    page.keyboard.press("Escape")
    assert "Drop" in focused(page)
    page.keyboard.press("Enter")
    go_to(page, "Drop it")
    page.keyboard.press("Enter")
    model_of(sidebar(page), "one").wait_for(state="detached")
    assert focused(page).startswith("Models")
    go_to(page, "two")


def test_the_tabs_of_the_panel_are_chosen_by_keyboard_alone(page: Page) -> None:
    dress(page, THEMES[0])
    choose(page, "Open the TensorFlow panel")
    # The one that is shown is the one that Tab leads to.
    go_to(page, *TABS)
    page.keyboard.press("Home")
    for tab in (*TABS[1:], TABS[0]):
        page.keyboard.press("ArrowRight")
        assert focused(page) == tab
        panel_of(page).get_by_role("tabpanel", name=tab).wait_for()
