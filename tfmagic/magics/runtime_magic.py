"""``%tf_runtime``: the one TensorFlow of this kernel, looked at and given back."""

from __future__ import annotations

import sys

from tfmagic.errors import UsageLineError, did_you_mean
from tfmagic.magics.line import split
from tfmagic.magics.options import Command, Option, parse
from tfmagic.model.registry import the_models
from tfmagic.panel.view import Sentence, View

# How long to wait for what is still on its way into the log.
_FLOOD_S = 5.0

COMMANDS: dict[str, Command] = {
    "memory": Command("%tf_runtime [memory]", "Show what the process, its devices and its models use of memory."),
    "log": Command(
        "%tf_runtime log",
        "Show what TensorFlow wrote to stderr by itself, each message once.",
        (
            Option("--errors", "only what matters: errors, and memory that ran out"),
            Option("--clear", "show it, then forget it"),
        ),
    ),
    "reset": Command(
        "%tf_runtime reset",
        "Drop every model, close the session, and give everything back; the kernel lives on. Training that was not "
        "saved is named first.",
    ),
}


def help_text() -> str:
    """Return the help of every verb."""
    return "\n\n".join(command.help() for command in COMMANDS.values())


def run_line(line: str) -> View:
    """Do what a ``%tf_runtime`` line says, and return what is to be shown.

    Parameters
    ----------
    line
        What follows the magic's name.
    """
    __tracebackhide__ = True
    words = list(split(line).words)
    if words[:1] in (["--help"], ["-h"]):
        return Sentence(help_text())
    verb = words.pop(0) if words else "memory"
    if verb not in COMMANDS:
        msg = f"%tf_runtime has no {verb!r}{did_you_mean(verb, COMMANDS)}"
        raise UsageLineError(msg)
    parsed = parse(words, COMMANDS[verb])
    if parsed.help:
        return Sentence(COMMANDS[verb].help())
    if parsed.rest:
        msg = f"{' '.join(parsed.rest)!r} was not expected: {COMMANDS[verb].usage}"
        raise UsageLineError(msg)
    if verb == "reset":
        return Sentence(_reset())
    if verb == "log":
        return _log(errors=parsed.flag("errors"), clear=parsed.flag("clear"))
    from tfmagic.model.memory import memory_record
    from tfmagic.panel.memory import MemoryPage

    return MemoryPage(memory_record())


def _log(*, errors: bool, clear: bool) -> View:
    from tfmagic.panel.log import LogPage
    from tfmagic.runtime.native_log import native_log

    log = native_log()
    log.settle(_FLOOD_S)
    page = LogPage(log.record(errors=errors))
    if clear:
        log.clear()
    return page


def _reset() -> str:
    from tfmagic.model.resetting import reset
    from tfmagic.panel.sentences import reset_text

    if "tensorflow" not in sys.modules and not the_models():
        return "there was nothing to reset: TensorFlow is not imported yet"
    return reset_text(reset(the_models()))
