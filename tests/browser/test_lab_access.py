"""The extension of JupyterLab for whoever has no mouse, another theme, or a screen reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from browser.lab import Lab, Notebook
from browser.panel_page import AXE, TABS, open_tab
from browser.sidebar import model_of, sidebar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

LOAD = "%load_ext tfmagic\nimport tensorflow as tf\nv1 = tf.compat.v1"
MODELS = """
for name in ("one", "two"):
    with tf.Graph().as_default() as graph:
        v1.identity(v1.get_variable("w", [4, 250_000]), name="y")
    get_ipython().user_ns["graph"] = graph
    %tf_model add {name} graph
"""
THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast", "forced colours")


@pytest.fixture(scope="module")
def page(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Show a notebook with two models between its panel and the sidebar."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    context = chromium.new_context(viewport={"width": 1500, "height": 900})
    page = context.new_page()
    lab.write("access.ipynb", [LOAD, MODELS.strip()])
    lab.write("bare.ipynb", ["1"])
    notebook = Notebook(lab, page, "access.ipynb")
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    notebook.run(1)
    model_of(sidebar(page), "two").wait_for()
    notebook.do("tfmagic:open-panel")
    panel_of(page).get_by_role("tab", name="Overview").wait_for()
    page.add_script_tag(path=AXE)
    yield page
    context.close()
    lab.stop()


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
        page.screenshot(path=f"/tmp/h6b/{theme.replace(' ', '-')}-{tab}.png")
        assert faults(panel_of(page)) == [], tab
