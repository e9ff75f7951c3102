"""The command ``tfmagic``, also as ``python -m tfmagic`` for the Python of one's choice."""

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
    """Do what the words say, and return the exit status."""
    given = _parser().parse_args(words)
    status: int = given.run(given)
    return status


def _parser() -> argparse.ArgumentParser:
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
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        msg = f"a number of seconds above 0, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return seconds


def _doctor(given: argparse.Namespace) -> int:
    from tfmagic.checkup.page import doctor
    from tfmagic.checkup.report import is_healthy

    if sys.stderr.isatty():
        sys.stderr.write("importing TensorFlow in a process of its own ...\n")
    found = doctor(given.timeout)
    text = json.dumps(found.record, indent=2) if given.json else found.text()
    _print(text)
    return 0 if is_healthy(found.record) else 1


def _print(text: str) -> None:
    """Print a text wherever it goes: a terminal without its characters, a pipe that is closed early."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
