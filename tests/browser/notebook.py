"""A notebook in a page of JupyterLab."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from browser.lab import Lab

FOREVER = "import time\nwhile True: time.sleep(0.01)"
"""A cell that runs until it is interrupted; test_lab_panel.py has those that take all of a processor, too."""

PATIENCE_MS = 120_000
"""What a page waits for anything: on a busy machine a second's work may take a minute."""

_CONNECTED_MS = 60_000


def put_back(page: Page) -> None:
    """Have JupyterLab without documents and kernels, and files alone beside them, as a new page has it."""
    page.keyboard.press("Escape")
    page.evaluate(
        """async () => {
          const app = window.jupyterapp;
          window.watching?.disconnect();
          // Behind each there may be one that waits.
          for (let open; (open = document.querySelector('.jp-Dialog')); ) {
            (open.querySelector('.jp-mod-reject') ?? open.querySelector('.jp-mod-accept')).click();
            await new Promise(done => setTimeout(done, 100));
          }
          for (const { context } of app.shell.widgets('main')) if (context) context.model.dirty = false;
          await app.commands.execute('application:close-all');
          await app.serviceManager.sessions.shutdownAll();
          await app.serviceManager.kernels.shutdownAll();
          app.shell.collapseRight();
          await app.commands.execute('filebrowser:activate');
          await app.commands.execute('filebrowser:go-to-path', { path: '/' });
          await app.commands.execute('filebrowser:refresh');
        }"""
    )


class Notebook:
    """A notebook in a browser's page, which is loaded where it shows no JupyterLab yet."""

    def __init__(self, lab: Lab, page: Page, name: str) -> None:
        self.lab, self.page, self.name = lab, page, name
        page.set_default_timeout(PATIENCE_MS)
        if page.url.startswith(lab.url):
            put_back(page)
            self.do("docmanager:open", path=name)
        else:
            page.goto(lab.address(name))
        try:
            self.wait_until_open(_CONNECTED_MS)
        except PlaywrightTimeoutError:
            # Once in some hundred times JupyterLab and a new kernel wait for each other; a person loads the page anew.
            warnings.warn(f"{name}: its kernel was not there in {_CONNECTED_MS} ms; loaded anew", stacklevel=2)
            lab.end_kernels()
            page.goto(lab.address(name))
            self.wait_until_open()

    def wait_until_open(self, patience_ms: int = PATIENCE_MS) -> None:
        """Wait until its cells and its kernel are there."""
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.page.wait_for_function(
            "() => { const panel = window.jupyterapp?.shell.currentWidget;"
            " const kernel = panel?.sessionContext?.session?.kernel;"
            " return kernel && kernel.status !== 'unknown' && kernel.connectionStatus === 'connected'; }",
            timeout=patience_ms,
        )

    def run(self, cell: int, *, wait: bool = True) -> None:
        """Run a cell; without `wait` it goes on."""
        self.page.evaluate(
            "async number => { const panel = window.jupyterapp.shell.currentWidget;"
            " panel.content.activeCellIndex = number; panel.content.deselectAll();"
            " window.jupyterapp.commands.execute('notebook:run-cell'); }",
            cell,
        )
        if wait:
            self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until no cell runs or waits."""
        self.page.wait_for_function(
            "() => { const panel = window.jupyterapp.shell.currentWidget;"
            " const prompts = [...panel.node.querySelectorAll('.jp-InputPrompt')].map(one => one.textContent);"
            " return !prompts.some(text => text.includes('*'))"
            " && panel.sessionContext.session.kernel.status === 'idle'; }"
        )

    def is_busy(self) -> bool:
        """Return whether a cell runs."""
        return bool(
            self.page.evaluate(
                "() => [...window.jupyterapp.shell.currentWidget.node.querySelectorAll('.jp-InputPrompt')]"
                ".some(one => one.textContent.includes('*'))"
            )
        )

    def interrupt(self) -> None:
        """Press the Stop button."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.interrupt()")

    def status(self) -> str:
        """Return how JupyterLab has it that the kernel stands, which its indicator shows."""
        return str(
            self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status")
        )

    def do(self, command: str, **arguments: object) -> None:
        """Run one of JupyterLab's commands, as the palette does."""
        self.page.evaluate(
            "([command, args]) => { window.jupyterapp.commands.execute(command, args); }", [command, arguments]
        )

    def restart(self) -> None:
        """Restart the kernel."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")

    def cell(self, number: int) -> Locator:
        """Return a cell."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    def output(self, cell: int) -> str:
        """Return the text of a cell's outputs."""
        return self.cell(cell).locator(".jp-OutputArea").inner_text()
