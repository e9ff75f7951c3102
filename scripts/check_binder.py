"""Do what a Binder would do, as far as that goes without one, and see that the notebooks fit.

    python scripts/check_binder.py                       everything
    python scripts/check_binder.py binder/demo.ipynb     this notebook only
    python scripts/check_binder.py --pin                 write binder/requirements.txt with the versions of today

The tree of the branch ``on-binder`` is unpacked into a folder of its own; a virtual environment gets the
packages that repo2docker's image has, those of ``binder/requirements.txt``, and what ``binder/postBuild``
puts there. Node, npm and compilers are not to be had meanwhile: whoever calls one fails the check. The
notebooks run beside a JupyterLab server under a memory limit, in a control group where the machine has
those; the memory of all processes is looked at, too, with every shared page counted once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psutil
from binder_branch import ROOT, BranchError, tree_with_wheel
from memory_limit import group_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What repo2docker's environment.py-3.11-linux-64.lock (August 2026) has of what a notebook meets.
IMAGE = (
    *("ipykernel==7.0.1", "ipython==9.6.0", "ipywidgets==8.1.7", "jupyter_client==8.6.3", "jupyter_server==2.17.0"),
    *("jupyterlab==4.4.9", "nbclient==0.10.2", "notebook==7.4.7", "psutil==7.1.0", "traitlets==5.14.3"),
)
# What the notebooks use beyond the image; tfmagic's own needs are among what these need, or named.
WANTED = ("anywidget", "matplotlib", "numpy", "pandas", "scikit-learn", "tensorflow-cpu", "tqdm")
REQUIREMENTS = ROOT / "binder" / "requirements.txt"
NOT_TO_BE_HAD = ("node", "npm", "npx", "cc", "gcc", "g++", "c++", "clang", "make", "cmake")
NOTEBOOKS = ("binder/demo.ipynb", *(f"examples/{name}.ipynb" for name in ("juggling", "revival", "memory", "panel")))


class CheckError(Exception):
    """What a Binder would stumble over, in one line."""


def say(line: str) -> None:
    """Print one line of progress at once."""
    print(f"tfmagic: {line}", flush=True)


def call(why_not: str, *command: str | Path, cwd: Path, environment: Mapping[str, str]) -> str:
    """Run a command and return what it prints; show all of it if it fails."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr, flush=True)
        raise CheckError(why_not)
    return done.stdout


def environment_of(venv: Path, shims: Path) -> dict[str, str]:
    """Return the variables of a process in the Binder: that environment first, and nothing that could build."""
    shims.mkdir(exist_ok=True)
    for name in NOT_TO_BE_HAD:
        shim = shims / name
        shim.write_text(f'#!/bin/sh\necho "a Binder is to need no {name}" >&2\nexit 97\n')
        shim.chmod(0o755)
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TF_", "JUPYTER"))}
    for name in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        mine.pop(name, None)
    return {
        **mine,
        "PATH": os.pathsep.join([str(venv / "bin"), str(shims), "/usr/bin", "/bin"]),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # What is never imported need not be compiled to bytecode: that is half of the time.
        # PIP_NO_COMPILE=1 would have pip compile: it takes the value for that of the option's target.
        "PIP_COMPILE": "0",
        "JUPYTER_PREFER_ENV_PATH": "1",
        # Nobody listens there.
        "npm_config_registry": "http://127.0.0.1:9",
    }


def unpack(folder: Path) -> None:
    """Put the tree that a Binder begins with into a folder."""
    done = subprocess.run(
        ["git", "archive", tree_with_wheel()],  # noqa: S607 - whichever git the person has
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    with tarfile.open(fileobj=BytesIO(done.stdout)) as tree:
        tree.extractall(folder, filter="data")


def make_environment(venv: Path, environment: Mapping[str, str], cwd: Path) -> None:
    """Make a virtual environment with what repo2docker's image has."""
    python = f"python{(cwd / 'binder' / 'runtime.txt').read_text().strip().removeprefix('python-')}"
    found = shutil.which(python)
    if found is None:
        msg = f"binder/runtime.txt asks for {python}, and there is none here"
        raise CheckError(msg)
    say(f"making an environment with {python} and the packages of repo2docker's image")
    call("the venv module failed", found, "-m", "venv", "--without-pip", venv, cwd=cwd, environment=environment)
    # The image has a pip of its own time, which looks through an index in a third of the time of a Python's own.
    pip = (sys.executable, "-m", "pip", "--python", venv, "install", "--quiet", "--only-binary", ":all:")
    call("pip could not install itself there", *pip, "pip", cwd=cwd, environment=environment)
    pip_there = (venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:")
    call("pip could not install what the image has", *pip_there, *IMAGE, cwd=cwd, environment=environment)


def install(venv: Path, environment: Mapping[str, str], cwd: Path) -> None:
    """Do what repo2docker does: the requirements, then ``postBuild``; and see that all of it fits together."""
    python = venv / "bin" / "python"
    say("installing binder/requirements.txt")
    pip = (python, "-m", "pip", "install", "--quiet", "-r", "binder/requirements.txt")
    call("binder/requirements.txt cannot be installed", *pip, cwd=cwd, environment=environment)
    say("running binder/postBuild, with neither Node nor npm nor a compiler")
    call("binder/postBuild failed", "binder/postBuild", cwd=cwd, environment=environment)
    call("packages do not fit together", python, "-m", "pip", "check", cwd=cwd, environment=environment)
    code = "import tfmagic; print(tfmagic.__file__)"
    where = call("tfmagic is not there", python, "-c", code, cwd=venv, environment=environment).strip()
    if not Path(where).is_relative_to(venv):
        msg = f"tfmagic comes from {where}, and not from the environment"
        raise CheckError(msg)


class Watch:
    """Looks at the memory of processes and their children four times a second: each shared page counts once."""

    def __init__(self, *processes: subprocess.Popen[str]) -> None:
        self.peak_bytes = 0
        self._roots = [psutil.Process(process.pid) for process in processes]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.25):
            try:
                family = [one for root in self._roots for one in (root, *root.children(recursive=True))]
            except psutil.NoSuchProcess:
                continue
            self.peak_bytes = max(self.peak_bytes, sum(proportional_bytes(process.pid) for process in family))


def proportional_bytes(process: int) -> int:
    """Return a process's memory with its part of what it shares, 0 once it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


class Binder:
    """The environment and the tree, in which commands run as in a Binder's container.

    Parameters
    ----------
    venv
        The environment.
    tree
        The repository as the Binder has it.
    variables
        What a process in there finds in ``os.environ``.
    limit_mb
        The memory, in 1,000,000 bytes, of all processes together.
    """

    def __init__(self, venv: Path, tree: Path, variables: Mapping[str, str], limit_mb: int) -> None:
        self.venv = venv
        self.tree = tree
        self.variables = variables
        self.limit_mb = limit_mb

    def start(self, enter: Callable[[], None] | None, *words: str) -> subprocess.Popen[str]:
        """Start a Python program inside the limit; what it prints goes into a pipe."""
        return subprocess.Popen(
            [str(self.venv / "bin" / "python"), *words],
            cwd=self.tree,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=enter,  # noqa: PLW1509 - when it is called, this process has no other thread
        )

    def run(self, notebook: str) -> None:
        """Run a notebook beside a JupyterLab server, whose memory counts as well, and say what both took."""
        with group_of(self.limit_mb * 1_000_000) as enter, tempfile.TemporaryDirectory() as build:
            quiet = ("--log-level=CRITICAL", "--no-browser", "--allow-root")
            options = ("--ServerApp.port=0", "--IdentityProvider.token=check")
            server = self.start(enter, "-m", "jupyterlab", *quiet, *options)
            try:
                running = self.start(enter, "examples/run.py", "--build", build, notebook)
                with Watch(server, running) as watch:
                    printed = running.communicate()[0]
                if server.poll() is not None:
                    msg = f"JupyterLab ended with {server.returncode}: {server.communicate()[0]}"
                    raise CheckError(msg)
            finally:
                server.kill()
                server.communicate()
        peak_mb = watch.peak_bytes / 1e6
        if running.returncode != 0:
            print(printed[-6000:], file=sys.stderr, flush=True)
            msg = f"{notebook} failed under {self.limit_mb} MB; {peak_mb:.0f} MB were in use at most"
            raise CheckError(msg)
        if peak_mb > self.limit_mb:
            msg = f"{notebook} takes {peak_mb:.0f} MB, and {self.limit_mb} MB are allowed"
            raise CheckError(msg)
        how = "in a control group" if enter else "looked at only: this machine lets nobody make control groups"
        say(f"{notebook} ran; {peak_mb:.0f} MB in use at most, of {self.limit_mb} MB ({how})")
        for line in printed.splitlines():
            if line.startswith(("  │ a kernel each", "  │ one kernel, tfmagic")):
                print(line, flush=True)


def pin() -> None:
    """Write the requirements anew: the newest versions that fit the image, and all that they need."""
    with tempfile.TemporaryDirectory() as scratch:
        venv = Path(scratch) / "venv"
        environment = environment_of(venv, Path(scratch) / "shims")
        make_environment(venv, environment, ROOT)
        pip = (venv / "bin" / "python", "-m", "pip")
        before = call("pip freeze failed", *pip, "freeze", cwd=ROOT, environment=environment).splitlines()
        add = ("install", "--quiet", "--only-binary", ":all:", *WANTED)
        call("pip could not install", *pip, *add, cwd=ROOT, environment=environment)
        after = call("pip freeze failed", *pip, "freeze", cwd=ROOT, environment=environment).splitlines()
    comments = [line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if line.startswith(("#", "--"))]
    lines = [*comments, *sorted(set(after) - set(before), key=str.lower)]
    REQUIREMENTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> int:
    """Read the command line, check, and say in one line what a Binder would stumble over."""
    parser = argparse.ArgumentParser(description="Do what a Binder would do.")
    parser.add_argument("notebooks", nargs="*", default=NOTEBOOKS, help="all of binder/ and examples/ without")
    parser.add_argument("--limit-mb", type=int, default=2000, help="a Binder has 1000 to 2000 MB")
    parser.add_argument("--environment", type=Path, metavar="FOLDER", help="keep it there, and use it again")
    parser.add_argument("--pin", action="store_true", help="write binder/requirements.txt, check nothing")
    options = parser.parse_args()
    try:
        if options.pin:
            pin()
            return 0
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch) / "tree"
            unpack(tree)
            venv = (options.environment or Path(scratch) / "venv").resolve()
            environment = environment_of(venv, Path(scratch) / "shims")
            if not (venv / "bin" / "python").exists():
                make_environment(venv, environment, tree)
                install(venv, environment, tree)
            binder = Binder(venv, tree, environment, options.limit_mb)
            for notebook in options.notebooks:
                binder.run(notebook)
    except (BranchError, CheckError) as error:
        print(f"tfmagic: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
