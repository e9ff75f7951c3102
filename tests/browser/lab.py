"""A real server of JupyterLab."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import nbformat
import psutil
from forking.process import server_for_others
from forking.provisioner import METADATA

if TYPE_CHECKING:
    from collections.abc import Sequence


CHECKOUT = Path(__file__).resolve().parents[2]
FORKED = "forked"
"""The kernel of notebooks that import TensorFlow: it has it already. The others have Python's own."""

# The server of a checkout, which knows how kernels are forked.
_START = """
import runpy, sys
# JSON Schema's check of addresses takes more than a second to compile its grammar.
sys.modules["rfc3987_syntax"] = None
sys.path.append(sys.argv.pop(1))
from forking.provisioner import know_here
know_here()
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
""".strip()


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
        self._runtime = settings / "runtime"
        self._settings = settings / "settings" / "@tfmagic" / "lab" / "plugin.jupyterlab-settings"
        # No question whether news are wanted, over what is looked at.
        (settings / "config" / "labconfig").mkdir(parents=True)
        (settings / "config" / "labconfig" / "page_config.json").write_text(
            json.dumps({"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}})
        )
        environment.pop("PYTHONPATH", None)
        module = ["-m", self.MODULE]
        if python is None:
            self._install(settings)
            environment |= {"PYTHONPATH": str(CHECKOUT), **server_for_others()}
            module = ["-c", _START, str(CHECKOUT / "tests"), self.MODULE]
        self._log = (folder / "lab.log").open("wb")
        self._server = subprocess.Popen(  # noqa: S603 - our own server
            [
                *(str(python or sys.executable), *module, "--no-browser", "--allow-root", f"--port={port}"),
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
                "JUPYTER_RUNTIME_DIR": str(self._runtime),
                "JUPYTER_PREFER_ENV_PATH": "1",
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
        # One of them is said to speak another language.
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        for name, language, metadata in ((FORKED, "python", METADATA), ("other", "other", {})):
            folder = prefix / "share" / "kernels" / name
            folder.mkdir(parents=True)
            spec = {"argv": command, "display_name": name.title(), "language": language, "metadata": metadata}
            (folder / "kernel.json").write_text(json.dumps(spec))

    def _wait(self) -> None:
        for _ in range(1200):
            try:
                self.get("api/status")
            except OSError:
                if self._server.poll() is not None:
                    break
                time.sleep(0.1)
            else:
                return
        msg = f"JupyterLab did not start: {self.log()[-2000:]}"
        raise RuntimeError(msg)

    def get(self, path: str) -> Any:
        """Return what the server's REST interface says."""
        with self._ask(path) as answer:
            return json.load(answer)

    def _ask(self, path: str, method: str = "GET") -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/{path}", headers={"Authorization": f"token {self._token}"}, method=method
        )
        return urllib.request.urlopen(request, timeout=60)  # noqa: S310 - our own server

    def log(self) -> str:
        """Return what the server has written."""
        return (self.folder / "lab.log").read_text()

    def end_kernels(self) -> None:
        """End all kernels of documents, which live on when their page is closed."""
        for session in self.get("api/sessions"):
            self._ask(f"api/sessions/{session['id']}", "DELETE").close()

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
        if (forked := self._runtime / f"kernel-{kernel}.json.pid").exists():
            return psutil.Process(int(forked.read_text()))
        children = psutil.Process(self._server.pid).children(recursive=True)
        (found,) = (child for child in children if any(kernel in word for word in _arguments(child)))
        return found

    def address(self, name: str) -> str:
        """Return where a notebook is shown, in a workspace of its own."""
        workspace = zlib.crc32(name.encode())
        return f"{self.url}/lab/workspaces/w{workspace}/tree/{quote(name)}?token={self._token}"

    def choose(self, **settings: object) -> None:
        """Set the extension's settings, as the next page that is opened finds them; the others are as by default."""
        self._settings.parent.mkdir(parents=True, exist_ok=True)
        self._settings.write_text(json.dumps(settings))

    def settings(self) -> str:
        """Return the extension's settings as they are kept."""
        return self._settings.read_text()

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

    def __init__(self, folder: Path, *, python: Path | None = None) -> None:
        super().__init__(folder, "--JupyterNotebookApp.expose_app_in_browser=True", python=python)

    def address(self, name: str) -> str:
        """Return where a notebook is shown."""
        return f"{self.url}/notebooks/{name}?token={self._token}"


def _arguments(process: psutil.Process) -> list[str]:
    """Return what a process was started with; nothing of one that has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
