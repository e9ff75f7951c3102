"""Environments to be looked at: the packages of this one by links, with something missing or wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
WIDGETS = "@jupyter-widgets/jupyterlab-manager"
NO_TENSORFLOW = ("tensorflow", "tensorflow_cpu-*", "tensorflow-*", "keras", "keras-*")
"""What to leave out where the import of the real one adds nothing: it takes four seconds."""
GRAMMAR = "rfc3987_syntax*"
"""What a check of JSON uses where it is there, and compiles as JupyterLab is imported: more than a second."""


class Environment:
    """A virtual environment in which tfmagic is installed, and nothing is wrong but what is left out.

    Attributes
    ----------
    folder, home, work
        The environment, the person's folder, and where the person is.

    Parameters
    ----------
    top
        An empty folder.
    without
        Patterns of what is not to be in ``site-packages``.
    """

    def __init__(self, top: Path, *without: str) -> None:
        self.folder, self.home, self.work = top / "environment", top / "home", top / "work"
        for one in (self.home, self.work):
            one.mkdir()
        venv.create(self.folder, symlinks=True)
        self.python = self.folder / "bin" / "python"
        (self.site,) = self.folder.glob("lib/python*/site-packages")
        for entry in Path(sysconfig.get_path("purelib")).iterdir():
            # What makes the checkout importable in this environment names its folder: here it is a link.
            if not any(fnmatch(entry.name, one) for one in (*without, GRAMMAR, "*tfmagic*.pth", "__editable__*")):
                (self.site / entry.name).symlink_to(entry)
        (self.site / "tfmagic").symlink_to(CHECKOUT / "tfmagic")
        self.extensions = self.folder / "share" / "jupyter" / "labextensions"
        self.link(CHECKOUT / "tfmagic" / "labextension", self.extensions / "@tfmagic" / "lab")
        self.link(Path(sys.prefix, "share/jupyter/labextensions", WIDGETS), self.extensions / WIDGETS)
        self.server = self.folder / "etc" / "jupyter" / "jupyter_server_config.d" / "tfmagic.json"
        self.link(CHECKOUT / "jupyter-config" / "tfmagic.json", self.server)
        self.kernel("python3", "python")

    @staticmethod
    def link(what: Path, where: Path) -> None:
        where.parent.mkdir(parents=True, exist_ok=True)
        where.symlink_to(what)

    def kernel(self, name: str, interpreter: str | Path) -> None:
        """Let Jupyter offer a kernel."""
        folder = self.folder / "share" / "jupyter" / "kernels" / name
        folder.mkdir(parents=True, exist_ok=True)
        spec = {"argv": [str(interpreter), "-m", "ipykernel_launcher"], "display_name": name, "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec))

    def package(self, name: str, code: str) -> None:
        """Put a package of one file into the environment, in place of what is there."""
        folder = self.site / name
        if folder.is_symlink():
            folder.unlink()
        # As far as one can tell without importing it, it is what it is called.
        (folder / "python" / "platform").mkdir(parents=True)
        (folder / "__init__.py").write_text(code)

    def installed(self, name: str, version: str, *files: str) -> None:
        """Have a package noted as installed in a version, in place of what is noted."""
        for one in self.site.glob(f"{name}-*.dist-info"):
            one.unlink()
        folder = self.site / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files))

    def changed_extension(self, name: str, **changes: object) -> None:
        """Change what an extension of JupyterLab says of itself."""
        folder = self.extensions / name
        own = json.loads((folder / "package.json").read_text())
        folder.unlink()
        folder.mkdir()
        (folder / "package.json").write_text(json.dumps({**own, **changes}))

    def run(self, *words: str, before: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Type ``tfmagic doctor`` there."""
        foreign = ("JUPYTER", "PYTHON", "PYTEST", "TF_", "KERAS", "LD_", "XDG_", "IPYTHON")
        own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        command = [str(self.python), "-m", "tfmagic", "doctor", *words]
        return subprocess.run(  # noqa: S603 - our own command
            ["/bin/sh", "-c", before + 'exec "$@"', "sh", *command],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            cwd=self.work,
            env={**own, "HOME": str(self.home), "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", **variables},
        )

    def report(self, *words: str, before: str = "", **variables: str) -> dict[str, Any]:
        """Return what ``tfmagic doctor --json`` says, whose exit status has to agree with it."""
        done = self.run("--json", *words, before=before, **variables)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (1 if found["troubles"] or found["failed"] else 0), done
        assert not done.stderr, done.stderr
        return found

    def remove(self, path: Path) -> None:
        """Take something out again that is linked or was written here."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def named(report: dict[str, Any]) -> list[str]:
    """Return the names of the troubles, but for the missing TensorFlow of environments that leave it out."""
    return [one["name"] for one in report["troubles"] if one["name"] != "tensorflow-missing"]


def the(name: str, report: dict[str, Any]) -> dict[str, Any]:
    """Return the trouble of a name, which has to be the only one."""
    (found,) = [one for one in report["troubles"] if one["name"] != "tensorflow-missing" or name == one["name"]]
    assert found["name"] == name, found
    return dict(found)
