"""Make the checkout's environment, ``.venv``, with everything that ``make`` needs in it.

The Makefile calls this when ``.venv`` is missing, older than ``pyproject.toml`` or made for
another folder. It needs Python and its own standard library only, it may be interrupted
anywhere, and two at a time wait for each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXTRAS = "cpu,lab,examples"
GROUP = "dev"
# The first pip that installs a group of pyproject.toml; what comes with a Python may be older.
PIP = "pip>=25.1"
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# Its time says which pyproject.toml was installed, its text for which folder.
STAMP = VENV / ".installed"
# Where JupyterLab finds the extension: a link to the built page of this checkout.
LINK = VENV / "share" / "jupyter" / "labextensions" / "@tfmagic" / "lab"
# There while pip is at work: found at the start, it means that a package may be half there.
UNFINISHED = VENV / ".unfinished"
HEARTBEAT = 15.0


class SetupError(Exception):
    """A reason why the environment could not be made, in one line."""


def say(line: str) -> None:
    """Print one line of progress at once."""
    print(f"tfmagic: {line}", flush=True)


def call(command: Sequence[str | Path], why_not: str) -> None:
    """Run a command with its output shown, and name what failed if it does."""
    try:
        subprocess.run([str(word) for word in command], check=True, cwd=ROOT)
    except (OSError, subprocess.CalledProcessError) as error:
        msg = f"{why_not}; `make` again goes on from here"
        raise SetupError(msg) from error


def works(*command: str | Path) -> bool:
    """Tell whether a command runs and ends well, without showing what it prints."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def is_current() -> bool:
    """Tell whether the environment is complete, for this folder and this pyproject.toml."""
    try:
        made_for = STAMP.read_text(encoding="utf-8")
        is_newer = STAMP.stat().st_mtime >= (ROOT / "pyproject.toml").stat().st_mtime
    except OSError:
        return False
    return is_newer and made_for.strip() == str(ROOT) and PYTHON.exists()


def install_venv_module() -> None:
    """Have Debian install what it leaves out of its Python: venv and ensurepip."""
    if works(sys.executable, "-c", "import ensurepip, venv"):
        return
    package = "python{}.{}-venv".format(*sys.version_info)
    by_hand = f"install it by hand (on Debian and Ubuntu: apt-get install {package})"
    if shutil.which("apt-get") is None:
        msg = f"{sys.executable} has no venv and ensurepip modules: {by_hand}"
        raise SetupError(msg)
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            msg = f"{package} is missing, and installing it takes root: apt-get install {package}"
            raise SetupError(msg)
        # Where nobody can type a password, fail at once and do not wait for one.
        apt = ["sudo", *([] if sys.stdin.isatty() else ["-n"]), *apt]
    say(f"{sys.executable} has no venv module; installing {package} with apt-get (about 20 s)")
    call([*apt, "update"], "apt-get update failed")
    install = [*apt, "install", "-y", "--no-install-recommends"]
    # Debian's own Python has python3.N-venv; a package source may know python3-venv only.
    if not works("apt-cache", "show", package):
        package = "python3-venv"
    call([*install, package], f"apt-get could not install {package}; {by_hand}")
    if not works(sys.executable, "-c", "import ensurepip, venv"):
        msg = f"{sys.executable} still has no venv and ensurepip modules: {by_hand}"
        raise SetupError(msg)


@contextlib.contextmanager
def heartbeat() -> Iterator[None]:
    """Say every few seconds how far pip is, for it is silent while it unpacks."""
    started, done = time.monotonic(), threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT):
            there = len(list(VENV.glob("lib/python*/site-packages/*.dist-info")))
            say(f"... {time.monotonic() - started:.0f} s, {there} packages in place")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def make_venv() -> None:
    """Make an empty environment, unless a sound one of this folder is there."""
    moved = STAMP.exists() and STAMP.read_text(encoding="utf-8").strip() != str(ROOT)
    if UNFINISHED.exists():
        say("the last set-up did not finish; starting over (what pip downloaded is kept)")
    elif moved:
        say(".venv was made for another folder; making it again")
    elif works(PYTHON, "-m", "pip", "--version"):
        return
    install_venv_module()
    say(f"making .venv with {sys.executable} ({sys.version.split()[0]})")
    call([sys.executable, "-m", "venv", "--clear", VENV], "the venv module failed")


def tensorflow_release() -> str:
    """Return the release of the TensorFlow in the environment, such as ``2.21``."""
    code = (
        "import importlib.metadata as m; "
        "names = {d.metadata['Name'].replace('_', '-') for d in m.distributions()}; "
        "print(m.version('tensorflow-cpu' if 'tensorflow-cpu' in names else 'tensorflow'))"
    )
    done = subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=True)
    return ".".join(done.stdout.split(".")[:2])


def install() -> None:
    """Install tfmagic and all that the Makefile's targets use."""
    say(f"installing tfmagic with its extras {EXTRAS} and the group {GROUP}: 1 to 6 minutes, 2.3 GB on disk")
    UNFINISHED.touch()
    STAMP.unlink(missing_ok=True)
    pip: list[str | Path] = [PYTHON, "-m", "pip", "--disable-pip-version-check", "install"]
    # What is imported is compiled then, most never is; but where Python may not keep it, it would be each time.
    if not sys.dont_write_bytecode:
        pip += ["--no-compile"]
    if not sys.stdout.isatty():
        pip += ["--progress-bar", "off"]
    # The time is that of pyproject.toml as read now: a change made meanwhile counts.
    started = time.time()
    # Else pip writes into the checkout through it, and no wheel can be built of what is there then.
    if LINK.is_symlink():
        LINK.unlink()
    with heartbeat():
        call([*pip, PIP], f"pip could not install {PIP} (see above)")
        editable = ["--editable", f".[{EXTRAS}]", "--group", GROUP]
        call([*pip, *editable], "pip could not install everything (see above)")
        # Keras 2, which some tests add models of. It asks for a tensorflow beside the tensorflow-cpu that
        # is there, a second copy of it all, so it comes without what it asks for.
        call([*pip, "--no-deps", f"tf_keras=={tensorflow_release()}.*"], "pip could not install tf_keras (see above)")
        develop: list[str | Path] = [VENV / "bin" / "jupyter-builder", "develop", "--overwrite", "."]
        call(develop, "JupyterLab cannot be told of the extension in this checkout (see above)")
    took = time.time() - started
    STAMP.write_text(f"{ROOT}\n", encoding="utf-8")
    os.utime(STAMP, (started, started))
    UNFINISHED.unlink()
    say(f"ready: .venv was set up in {took:.0f} s")


def main() -> int:
    """Bring the environment up to date, and say in one line why not if that fails."""
    try:
        # The lock goes with the process, however it ends, and leaves no file behind.
        with (ROOT / "pyproject.toml").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another make is setting up .venv; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_current():
                make_venv()
                install()
    except SetupError as error:
        print(f"tfmagic: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("tfmagic: interrupted; `make` again goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
