"""``%tf_runtime``: the one TensorFlow of this kernel, looked at and given back."""

from __future__ import annotations

import sys

from tfmagic.errors import UsageLineError, did_you_mean
from tfmagic.magics.line import split
from tfmagic.magics.options import Command, parse, unquoted
from tfmagic.model.registry import the_models
from tfmagic.panel.view import Sentence, View

COMMANDS: dict[str, Command] = {
    "memory": Command("%tf_runtime [memory]", "Show what the process, its devices and its models use of memory."),
    "libraries": Command(
        "%tf_runtime libraries",
        "Show every shared object of the process: version, size, who brought it and when, what is there more than "
        "once, which settings decided a path, and why a GPU is or is not used.",
    ),
    "load": Command(
        "%tf_runtime load PATH",
        "Load a custom op library (.so), once however often it is asked for, and show the operations it registers. A "
        "copy or a rebuild of one that is loaded is refused before it can break the kernel.",
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
    if verb == "load":
        return _load(parsed.rest)
    if parsed.rest:
        msg = f"{' '.join(parsed.rest)!r} was not expected: {COMMANDS[verb].usage}"
        raise UsageLineError(msg)
    if verb == "libraries":
        return _libraries()
    if verb == "reset":
        return Sentence(_reset())
    from tfmagic.model.memory import memory_record
    from tfmagic.panel.memory import MemoryPage

    return MemoryPage(memory_record())


def _libraries() -> View:
    from tfmagic.panel.libraries import LibrariesPage
    from tfmagic.runtime.libraries import libraries

    return LibrariesPage(libraries().record())


def _load(words: list[str]) -> View:
    if len(words) != 1:
        said = f"{' '.join(words[1:])!r} was not expected" if words else "which library?"
        msg = f"{said}: %tf_runtime load PATH (a path with blanks in quotes)"
        raise UsageLineError(msg)
    from tfmagic.panel.libraries import OpLibraryLoaded
    from tfmagic.runtime.op_libraries import op_libraries

    library, anew = op_libraries().load(unquoted(words[0]))
    return OpLibraryLoaded(library.record(), library.functions, anew=anew)


def _reset() -> str:
    from tfmagic.model.resetting import reset
    from tfmagic.panel.sentences import reset_text

    if "tensorflow" not in sys.modules and not the_models():
        return "there was nothing to reset: TensorFlow is not imported yet"
    return reset_text(reset(the_models()))
