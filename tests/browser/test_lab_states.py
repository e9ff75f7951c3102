"""The sidebar through all that can happen to a kernel and to the way to it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from browser.layout import wait_until_kept
from browser.notebook import FOREVER, Notebook
from browser.sidebar import look, sidebar, wait_for_news

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from browser.lab import Lab

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

LOAD = "%load_ext tfmagic\n%config TfMagic.panel_interval = 0.2"


def opened(lab: Lab, page: Page, name: str, *cells: str, kernel: str = "python3") -> Notebook:
    """Open a notebook that has loaded tfmagic and no TensorFlow, with the sidebar beside it."""
    lab.write(name, [LOAD, *cells], kernel)
    notebook = Notebook(lab, page, name)
    notebook.do("tfmagic:open-sidebar")
    notebook.run(0)
    wait_for_news(sidebar(page, "no-tensorflow"), 2)
    # Every state that it goes through, also one that is short.
    page.evaluate(
        "() => { const place = document.querySelector('#tfmagic-sidebar'); window.situations = [];"
        " window.watching = new MutationObserver(() => window.situations.push(place.dataset.situation))"
        "; window.watching.observe(place, { attributeFilter: ['data-situation'] }); }"
    )
    return notebook


def situations(page: Page) -> list[str]:
    found: list[str] = page.evaluate("() => window.situations")
    return found


def test_a_kernel_without_tfmagic_has_nothing_to_note_as_an_error(lab: Lab, page: Page) -> None:
    log = lab.folder / "lab.log"
    before = log.stat().st_size
    notebook = opened(lab, page, "quiet.ipynb", "%unload_ext tfmagic")
    notebook.run(1)
    sidebar(page, "absent").wait_for()
    notebook.restart()
    page.wait_for_function("() => window.situations.includes('restarting')")
    sidebar(page, "absent").wait_for()
    page.wait_for_timeout(2000)
    assert b"UNKNOWN CONTROL MESSAGE" not in log.read_bytes()[before:]


def test_an_import_of_tensorflow_is_said_while_it_goes_on(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "importing.ipynb", "import tensorflow as tf")
    notebook.run(1)
    sidebar(page, "there").wait_for()
    assert situations(page) == ["importing", "there"]


def test_a_kernel_that_was_killed_restarts_and_has_no_tfmagic(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "killed.ipynb")
    before = lab.kernel_of("killed.ipynb")
    before.kill()
    sidebar(page, "absent").get_by_role("button", name="Load tfmagic").wait_for()
    assert situations(page) == ["restarting", "asking", "absent"]
    assert sidebar(page).locator(".tfm").count() == 0
    notebook.run(0)
    wait_for_news(sidebar(page, "no-tensorflow"))
    expect(sidebar(page)).to_contain_text(f"kernel process {lab.kernel_of('killed.ipynb').pid}")


def test_a_kernel_that_has_ended_for_good_is_said_to_have(lab: Lab, page: Page) -> None:
    gone = lab.folder / "gone"
    spec = lab.folder / "home" / "share" / "kernels" / "mortal"
    spec.mkdir()
    start = (
        f"import os, sys\nos.path.exists({str(gone)!r}) and sys.exit(1)\nfrom ipykernel.kernelapp import main\nmain()"
    )
    command = [sys.executable, "-c", start, "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "Mortal", "language": "python"}))
    if page.url.startswith(lab.url):
        page.evaluate("() => window.jupyterapp.serviceManager.kernelspecs.refreshSpecs()")
    opened(lab, page, "dead.ipynb", kernel="mortal")
    gone.touch()
    lab.kernel_of("dead.ipynb").kill()
    page.wait_for_function("() => window.situations.includes('dead')")
    # The server forgets such a kernel, and then JupyterLab has none for the document, sooner or later.
    said = (
        sidebar(page).get_by_text("The kernel has ended").or_(sidebar(page).get_by_text("This document has no kernel"))
    )
    said.wait_for()
    assert sidebar(page).locator(".tfm").count() == 0


def test_a_connection_that_is_lost_is_said_and_comes_back(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "lost.ipynb")
    page.context.set_offline(True)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel._ws.close()")
    sidebar(page, "lost").get_by_text("The connection to the kernel is lost").wait_for()
    last = look(sidebar(page))
    sidebar(page).get_by_text("no news", exact=True).wait_for()
    sidebar(page).get_by_text(" old").wait_for()
    assert look(sidebar(page)) == last
    page.context.set_offline(False)
    # By itself JupyterLab tries again after up to a minute.
    notebook.do("kernelmenu:reconnect-to-kernel")
    wait_for_news(sidebar(page, "no-tensorflow"))
    sidebar(page).get_by_text("live", exact=True).wait_for()


def test_a_kernel_that_is_held_up_shows_how_old_its_figures_are(lab: Lab, page: Page) -> None:
    opened(lab, page, "stale.ipynb")
    kernel = lab.kernel_of("stale.ipynb")
    kernel.suspend()
    try:
        sidebar(page).get_by_text("no news", exact=True).wait_for()
        sidebar(page).get_by_text("5 seconds old").wait_for()
        sidebar(page).locator(".tfm-notice", has_text="sends nothing at the moment").wait_for()
    finally:
        kernel.resume()
    wait_for_news(sidebar(page))
    sidebar(page).get_by_text("live", exact=True).wait_for()


def test_a_kernel_that_answers_nothing_is_asked_until_it_does(lab: Lab, page: Page) -> None:
    opened(lab, page, "silent.ipynb")
    wait_until_kept(lab, page, "notebook:silent.ipynb")
    kernel = lab.kernel_of("silent.ipynb")
    kernel.suspend()
    try:
        page.reload()
        sidebar(page, "asking").get_by_text("it has not answered yet").wait_for()
        page.wait_for_timeout(4000)
        expect(sidebar(page, "asking")).to_have_count(1)
    finally:
        kernel.resume()
    wait_for_news(sidebar(page, "no-tensorflow"))


def test_what_was_before_a_reload_is_there_again_while_the_cell_still_runs(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "before.ipynb", FOREVER)
    wait_for_news(sidebar(page), 20)
    notebook.run(1, wait=False)
    sidebar(page).get_by_text("a cell has been running").wait_for()
    wait_until_kept(lab, page, "notebook:before.ipynb")
    page.reload()
    line = sidebar(page, "no-tensorflow").locator(".tfm-spark polyline")
    line.wait_for()
    assert len((line.get_attribute("points") or "").split()) > 6
    wait_for_news(sidebar(page))
    lab.kernel_of("before.ipynb").send_signal(2)


def test_two_tabs_on_one_kernel_are_both_live(lab: Lab, page: Page, chromium: Browser) -> None:
    opened(lab, page, "tabs.ipynb", FOREVER)
    elsewhere = chromium.new_context()
    other = elsewhere.new_page()
    second = Notebook(lab, other, "tabs.ipynb")
    second.do("tfmagic:open-sidebar")
    for one in (page, other):
        wait_for_news(sidebar(one, "no-tensorflow"))
    second.run(1, wait=False)
    for one in (page, other):
        sidebar(one).get_by_text("a cell has been running").wait_for()
        wait_for_news(sidebar(one))
    elsewhere.close()
    wait_for_news(sidebar(page))
    lab.kernel_of("tabs.ipynb").send_signal(2)


def test_panels_of_two_kernels_side_by_side_do_not_mix(lab: Lab, page: Page) -> None:
    notebook = opened(lab, page, "left.ipynb")
    notebook.do("tfmagic:open-panel")
    lab.write("right.ipynb", [LOAD])
    # Where its notebook is, not over its panel.
    page.evaluate("() => { window.jupyterapp.shell.activateById(document.querySelector('.jp-NotebookPanel').id); }")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:open', { path: 'right.ipynb' })")
    sidebar(page, "absent").get_by_text("right.ipynb").wait_for()
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    )
    notebook.run(0)
    notebook.do("tfmagic:open-panel")
    for name in ("left", "right"):
        panel = page.locator(f"[id='tfmagic-panel-{name}.ipynb']")
        panel.get_by_text(f"kernel process {lab.kernel_of(f'{name}.ipynb').pid}").first.wait_for()
        wait_for_news(panel)
    right = lab.kernel_of("right.ipynb")
    right.kill()
    page.locator("[id='tfmagic-panel-right.ipynb'] [data-situation='absent']").wait_for()
    wait_for_news(page.locator("[id='tfmagic-panel-left.ipynb']"))


def test_a_console_is_followed_as_a_notebook_is(lab: Lab, page: Page) -> None:
    opened(lab, page, "beside.ipynb")
    page.evaluate(
        "async () => { const console = await window.jupyterapp.commands.execute('console:create',"
        " { kernelPreference: { name: 'python3' }, activate: true });"
        " await console.sessionContext.ready; }"
    )
    sidebar(page, "absent").get_by_text("Console 1").wait_for()
    sidebar(page).get_by_role("button", name="Load tfmagic").click()
    wait_for_news(sidebar(page, "no-tensorflow"))
    assert f"kernel process {lab.kernel_of('beside.ipynb').pid}" not in sidebar(page).inner_text()
