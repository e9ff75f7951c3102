"""The command ``tfmagic``, also as ``python -m tfmagic``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from tfmagic.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line, and return the exit status."""
    parser = argparse.ArgumentParser(prog="tfmagic", description="One TensorFlow for all models of a kernel.")
    parser.add_argument("--version", action="version", version=f"tfmagic {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    doctor = commands.add_parser(
        "doctor",
        help="say what is wrong with this environment, and print what a bug report needs",
        description="Say what is wrong with this environment, and print what a bug report needs.",
        epilog="Ends with 0 where nothing is wrong, else with 1.",
    )
    doctor.add_argument("--json", action="store_true", help="print the report for programs")
    doctor.add_argument(
        "--timeout", type=_seconds, metavar="S", help="how long importing TensorFlow may take, in seconds"
    )
    doctor.set_defaults(run=_doctor)
    autoload = commands.add_parser(
        "autoload",
        help="load tfmagic first in every notebook of your IPython profile",
        description="Load tfmagic before the first cell of every notebook of your IPython profile, in JupyterLab, "
        "VS Code and papermill, so that TensorFlow is never there before it. A file in the startup folder of the "
        "profile does so; nothing else there is touched.",
        epilog="The profile is looked for where IPython does: in ~/.ipython, or in IPYTHONDIR.",
    )
    autoload.add_argument(
        "what",
        nargs="?",
        default="status",
        choices=("on", "off", "status"),
        help="begin it, end it, or say what is in force and through which file (the default)",
    )
    autoload.add_argument(
        "--profile", default="default", metavar="NAME", help="another IPython profile than the default one"
    )
    autoload.set_defaults(run=_autoload)
    arguments = parser.parse_args(words)
    status: int = arguments.run(arguments)
    return status


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        msg = f"a number of seconds above 0, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def _doctor(arguments: argparse.Namespace) -> int:
    from tfmagic.checkup.page import doctor
    from tfmagic.checkup.report import is_healthy

    if sys.stderr.isatty():
        sys.stderr.write("importing TensorFlow in a process of its own ...\n")
    checkup = doctor(arguments.timeout)
    _print(json.dumps(checkup.record, indent=2) if arguments.json else checkup.text())
    return 0 if is_healthy(checkup.record) else 1


def _autoload(arguments: argparse.Namespace) -> int:
    from tfmagic.errors import SettingError
    from tfmagic.magics.shell import autoload

    do = {"on": autoload.turn_on, "off": autoload.turn_off, "status": autoload.status}[arguments.what]
    try:
        _print(do(arguments.profile))
    except SettingError as error:
        sys.stderr.write(f"tfmagic autoload: {error}\n")
        return 1
    return 0


def _print(text: str) -> None:
    """Print a text, also to a terminal without its characters or a pipe that is closed early."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would report it again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
