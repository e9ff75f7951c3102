"""A real JupyterLab with a real browser before it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Locator, Page

CHECKOUT = Path(__file__).resolve().parents[2]
_PATIENCE_MS = 60_000


class Lab:
    """A JupyterLab server over a folder, or with another module Notebook 7.

    Attributes
    ----------
    folder : Path
        Where its notebooks are.
    url : str
        Where it answers.

    Parameters
    ----------
    folder
        An empty one.
    options
        More words for the server's command line.
    python
        An environment's interpreter, with all that is installed there and nothing of this checkout.
    """

    MODULE = "jupyterlab"

    def __init__(self, folder: Path, *options: str, python: Path | None = None) -> None:
        self.folder = folder
        self._token = secrets.token_hex(8)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        settings = folder / "home"
        # No question whether news are wanted, over what is looked at.
        (settings / "config" / "labconfig").mkdir(parents=True)
        (settings / "config" / "labconfig" / "page_config.json").write_text(
            json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}})
        )
        environment.pop("PYTHONPATH", None)
        if python is None:
            self._install(settings)
            environment["PYTHONPATH"] = str(CHECKOUT)
        self._log = (folder / "lab.log").open("wb")
        self._server = subprocess.Popen(  # noqa: S603 - our own server
            [
                *(str(python or sys.executable), "-m", self.MODULE, "--no-browser", "--allow-root", f"--port={port}"),
                *("--ServerApp.port_retries=0", f"--IdentityProvider.token={self._token}"),
                *(f"--ServerApp.root_dir={folder}", "--LabApp.expose_app_in_browser=True", *options),
            ],
            cwd=folder,
            env={
                **environment,
                "JUPYTER_CONFIG_DIR": str(settings / "config"),
                "JUPYTER_CONFIG_PATH": str(settings / "etc"),
                "JUPYTER_PATH": str(settings / "share"),
                "JUPYTERLAB_SETTINGS_DIR": str(settings / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(settings / "workspaces"),
                "JUPYTER_PREFER_ENV_PATH": "1",
                "TF_CPP_MIN_LOG_LEVEL": "1",
            },
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._wait()

    @staticmethod
    def _install(prefix: Path) -> None:
        """Put the checkout's extensions of the server and of JupyterLab where an installation puts them."""
        server, page = prefix / "etc" / "jupyter_server_config.d", prefix / "share" / "labextensions" / "@tfmagic"
        for parent in (server, page):
            parent.mkdir(parents=True)
        (server / "tfmagic.json").symlink_to(CHECKOUT / "jupyter-config" / "tfmagic.json")
        (page / "lab").symlink_to(CHECKOUT / "tfmagic" / "labextension")
        # A kernel that is said to speak another language.
        other = prefix / "share" / "kernels" / "other"
        other.mkdir(parents=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        (other / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "Other", "language": "other"}))

    def _wait(self) -> None:
        for _ in range(600):
            try:
                self.get("api/status")
            except OSError:
                if self._server.poll() is not None:
                    break
                time.sleep(0.1)
            else:
                return
        msg = f"JupyterLab did not start: {(self.folder / 'lab.log').read_text()[-2000:]}"
        raise RuntimeError(msg)

    def get(self, path: str) -> Any:
        """Return what the server's REST interface says."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/{path}", headers={"Authorization": f"token {self._token}"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - our own server
            return json.load(answer)

    def write(self, name: str, cells: Sequence[str], kernel: str = "python3") -> None:
        """Put a notebook of these cells into the folder."""
        notebook = nbformat.v4.new_notebook(  # type: ignore[no-untyped-call]
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],  # type: ignore[no-untyped-call]
            metadata={"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
        )
        nbformat.write(notebook, self.folder / name)  # type: ignore[no-untyped-call]

    def kernel_of(self, name: str) -> psutil.Process:
        """Return the process of a notebook's kernel."""
        (kernel,) = (one["kernel"]["id"] for one in self.get("api/sessions") if one["path"] == name)
        children = psutil.Process(self._server.pid).children(recursive=True)
        (found,) = (child for child in children if any(kernel in word for word in child.cmdline()))
        return found

    def address(self, name: str) -> str:
        """Return where a notebook is shown, in a workspace of its own."""
        workspace = name.partition(".")[0]
        return f"{self.url}/lab/workspaces/{workspace}/tree/{name}?token={self._token}"

    def choose(self, **settings: object) -> None:
        """Set the extension's settings, as the next page that is opened finds them; the others are as by default."""
        file = self.folder / "home" / "settings" / "@tfmagic" / "lab" / "plugin.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))

    def stop(self) -> None:
        """End the server, and its kernels with it."""
        self._server.terminate()
        try:
            self._server.wait(20)
        except subprocess.TimeoutExpired:
            self._server.kill()
        self._log.close()


class Notebook7(Lab):
    """A server of Notebook 7, which shows one document a page."""

    MODULE = "notebook"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "--JupyterNotebookApp.expose_app_in_browser=True")

    def address(self, name: str) -> str:
        """Return where a notebook is shown."""
        return f"{self.url}/notebooks/{name}?token={self._token}"


class Notebook:
    """A notebook in a browser's page."""

    def __init__(self, lab: Lab, page: Page, name: str) -> None:
        self.lab, self.page, self.name = lab, page, name
        page.set_default_timeout(_PATIENCE_MS)
        page.goto(lab.address(name))
        self.wait_until_open()

    def wait_until_open(self) -> None:
        """Wait until its cells and its kernel are there."""
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        self.page.wait_for_function(
            "() => { const panel = window.jupyterapp?.shell.currentWidget;"
            " const kernel = panel?.sessionContext?.session?.kernel;"
            " return kernel && kernel.status !== 'unknown' && kernel.connectionStatus === 'connected'; }"
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
