"""Run the contract, ``tests/contract``, in an environment for each set of versions that tfmagic is to work with.

``python scripts/matrix.py`` runs all, ``python scripts/matrix.py oldest colab`` only these. The environments are
made in ``build/matrix`` and used again; ``pip check`` must find nothing wrong in any. A run of all, or one with
``--write``, writes the table of ``docs/works-on.md``. It needs Python and its own standard library only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "matrix"
RESULTS = FOLDER / "results.json"
PAGE = ROOT / "docs" / "works-on.md"
BEGIN, END = "<!-- matrix: written by scripts/matrix.py -->", "<!-- end of the matrix -->"
SHOWN = ("python", "tensorflow", "keras", "numpy", "protobuf", "ipython", "ipykernel", "ipywidgets", "anywidget")
TESTS = ("pytest>=8.2", "pytest-timeout>=2.3", "jupyter-client>=7.4", "scikit-learn>=1.4")
NEWEST = ("ipython", "ipykernel", "ipywidgets", "anywidget", "psutil", "tqdm", "traitlets")
# The Keras that was the newest when each TensorFlow was.
MINORS = {"2.16": "3.3.3", "2.17": "3.5.0", "2.18": "3.6.0", "2.19": "3.9.2", "2.20": "3.12.0", "2.21": None}
PYTHONS = ("3.11", "3.12", "3.13")
VERSIONS = """
import importlib.metadata, json, platform
found = {one.metadata["Name"].lower().replace("_", "-"): one.version for one in importlib.metadata.distributions()}
found["tensorflow"] = found.get("tensorflow-cpu") or found.get("tensorflow")
print(json.dumps({**found, "python": platform.python_version()}))
"""


@dataclass(frozen=True)
class Row:
    """One environment: its name, the Pythons that it may have, best first, and what is installed.

    With `extras`, tfmagic is installed as well, from its wheel and with them. Else the checkout is what runs.
    """

    name: str
    pythons: tuple[str, ...]
    packages: tuple[str, ...]
    extras: str = ""

    @property
    def folder(self) -> Path:
        """Where it is made."""
        return FOLDER / self.name

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.folder / "bin" / "python"


def oldest() -> tuple[str, ...]:
    """Return the lower bound of each package that ``pyproject.toml`` admits, as a requirement."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lab = [one for one in project["optional-dependencies"]["lab"] if not one.startswith("jupyterlab")]
    return tuple(re.sub(r">=(\d+\.\d+)$", r"==\1.0", one) for one in [*project["dependencies"], *lab])


def rows() -> list[Row]:
    """Return all environments."""
    minors = [
        Row(f"tf{minor}", ("3.11",), (f"tensorflow-cpu=={minor}.*", f"keras=={keras}" if keras else "keras", *NEWEST))
        for minor, keras in MINORS.items()
    ]
    colab = ("tensorflow-cpu", "keras", "ipython==7.34.0", "ipykernel==6.17.1", "ipywidgets==7.7.1", "traitlets==5.7.1")
    return [
        Row("oldest", ("3.11",), ("tensorflow-cpu==2.16.1", "keras==3.0.5", *oldest())),
        *minors,
        *(Row(f"python{version}", (version,), (), extras="cpu,lab") for version in PYTHONS),
        Row("colab", ("3.13", "3.12", "3.11"), (*colab, "anywidget", "psutil", "tqdm")),
    ]


def say(line: str) -> None:
    """Print one line of progress at once."""
    print(f"tfmagic: {line}", flush=True)


def interpreter(version: str) -> str | None:
    """Return a Python of a version, on the path or among pyenv's; None where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")))]
    for one in filter(None, found):
        asked = [one, "-c", "import ensurepip, sys; print('{}.{}'.format(*sys.version_info))"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return one
    return None


def call(*command: str | Path) -> str | None:
    """Run a command without showing what it prints; return why it failed, in a line, if it did."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return None
    said = done.stderr + done.stdout
    return next((line for line in said.splitlines() if line.startswith("ERROR")), said[-200:]).strip()


def wheel() -> Path:
    """Build the wheel of this checkout, once a run."""
    folder = FOLDER / "wheel"
    if not list(folder.glob("*.whl")):
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps", "--quiet")
        if (why := call(*pip, "--wheel-dir", folder, ROOT)) is not None:
            sys.exit(f"tfmagic: the wheel cannot be built: {why}")
    return next(folder.glob("*.whl"))


def made(row: Row, base: str) -> str | None:
    """Make an environment, unless it is there as it is wanted; return why not."""
    stamp, wanted = row.folder / "made.json", json.dumps([base, row.extras, *row.packages, *TESTS])
    pip = (row.python, "-m", "pip", "--disable-pip-version-check")
    install = (*pip, "install", "--quiet", "--no-compile")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(row.folder, ignore_errors=True)
        packages = [*row.packages, *([f"{wheel()}[{row.extras}]"] if row.extras else [])]
        say(f"{row.name}: installing {' '.join(packages)}")
        why = call(base, "-m", "venv", row.folder) or call(*install, *packages, *TESTS)
        if why is not None:
            return f"not installed: {why}"
        stamp.write_text(wanted, encoding="utf-8")
    elif row.extras:
        # The packages are there already; the wheel is of this commit.
        call(*install, "--no-deps", "--force-reinstall", wheel())
    return call(*pip, "check")


def ran(row: Row) -> dict[str, Any]:
    """Run the contract in an environment, and return what came of it."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **({} if row.extras else {"PYTHONPATH": str(ROOT)})}
    for name in ("PYTHONHOME", *(("PYTHONPATH",) if row.extras else ())):
        environment.pop(name, None)
    command = [str(row.python), "-m", "pytest", "-q", "--tb=short", "tests/contract"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    log = FOLDER / f"{row.name}.txt"
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    counts = {what: int(number) for number, what in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)}
    versions = json.loads(subprocess.run([row.python, "-c", VERSIONS], capture_output=True, check=True).stdout)
    failed = re.findall(r"^(?:FAILED|ERROR) \S+?::(.+?)(?: - |$)", done.stdout, re.MULTILINE)
    return {
        "versions": {name: versions.get(name) for name in SHOWN},
        "passed": counts.get("passed", 0),
        "failed": failed or ([] if done.returncode == 0 else [f"see {log.relative_to(ROOT)}"]),
    }


def tried(row: Row) -> dict[str, Any]:
    """Make an environment and run the contract in it."""
    base = next(filter(None, map(interpreter, row.pythons)), None)
    if base is None:
        return {"not_run": f"there is no Python {row.pythons[0]} here"}
    if (why := made(row, base)) is not None:
        return {"not_run": why}
    say(f"{row.name}: running the contract")
    return ran(row)


def outcome(result: dict[str, Any] | None) -> str:
    """Return what came of one environment, in words."""
    if result is None:
        return "not run"
    if "not_run" in result:
        return f"not run: {result['not_run']}"
    passed = f"{result['passed']} passed"
    return f"{passed}, {len(result['failed'])} failed: {', '.join(result['failed'])}" if result["failed"] else passed


def table(results: dict[str, Any]) -> str:
    """Return the results as a table in Markdown."""
    lines = [f"| environment | {' | '.join(SHOWN)} | contract |", "|" + "---|" * (len(SHOWN) + 2)]
    for row in rows():
        result = results.get(row.name)
        versions = {} if result is None else result.get("versions", {})
        cells = [row.name, *(versions.get(name) or "" for name in SHOWN), outcome(result)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write_page(results: dict[str, Any]) -> None:
    """Put the table into its place in the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table(results)}\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Run the environments that were asked for, and write down what came of them."""
    names = [row.name for row in rows()]
    parser = argparse.ArgumentParser(description="run the contract in the environments that tfmagic is to work in")
    parser.add_argument("environments", nargs="*", choices=[[], *names], help=f"all, or some of: {' '.join(names)}")
    parser.add_argument("--write", action="store_true", help="write the table although these are not all")
    options = parser.parse_args()
    wanted = options.environments or names
    if unknown := sorted(set(wanted) - set(names)):
        parser.error(f"there is no environment {', '.join(unknown)}; there are {', '.join(names)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(FOLDER / "wheel", ignore_errors=True)
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    for row in rows():
        if row.name in wanted:
            started = time.monotonic()
            results[row.name] = tried(row)
            RESULTS.write_text(json.dumps(results, indent=1), encoding="utf-8")
            say(f"{row.name}: {outcome(results[row.name])} ({time.monotonic() - started:.0f} s)")
    if options.write or not options.environments:
        write_page(results)
    print(table({name: results[name] for name in wanted}))
    return int(any("passed" not in results[name] or results[name]["failed"] for name in wanted))


if __name__ == "__main__":
    sys.exit(main())
