"""``%tf_runtime``: the one TensorFlow of this kernel, looked at and given back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tfmagic.errors import DropError, UsageLineError, nearest_word
from tfmagic.magics.grammar.line import split
from tfmagic.magics.grammar.options import Command, Option, parse, unquoted
from tfmagic.model.registry import the_models
from tfmagic.panel.views.model_pages import NO_MODELS
from tfmagic.panel.views.view import Sentence, View

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.magics.grammar.options import Parsed

# How long to wait for messages on their way into the log.
_FLOOD_S = 5.0

COMMANDS: dict[str, Command] = {
    "summary": Command("%tf_runtime [summary]", "Show versions, memory policy, devices, threads, session and models."),
    "libraries": Command(
        "%tf_runtime libraries",
        "Show every shared object of the process: version, size, who brought it and when, what is there more than "
        "once, which settings decided a path, and why a GPU is or is not used.",
    ),
    "devices": Command("%tf_runtime devices", "Show the devices: what they are, and what their allocators report."),
    "memory": Command("%tf_runtime memory", "Show what the process, its devices and its models use of memory."),
    "placement": Command(
        "%tf_runtime placement [NAME...]",
        "Show where each operation and variable of a model was asked to be, and where a run really had it. A model of "
        "which no run was traced yet is run once on zeros.",
        (
            Option("--all", "every operation and variable, not only those that take the most time"),
            Option("--anew", "run it once on zeros, also where a run was traced already"),
        ),
    ),
    "log": Command(
        "%tf_runtime log",
        "Show what TensorFlow wrote to stderr by itself, each message once.",
        (
            Option("--errors", "only what matters: errors, and memory that ran out"),
            Option("--clear", "show it, then forget it"),
        ),
    ),
    "config": Command("%tf_runtime config", "Show the session's configuration, and what was set for it."),
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


def run_line(line: str, show: Callable[[View], None]) -> View | None:
    """Run a ``%tf_runtime`` line; return the view of a verb that looks or loads. `show` displays what others did."""
    words = list(split(line).words)
    if words[:1] in (["--help"], ["-h"]):
        return Sentence(help_text())
    verb = words.pop(0) if words else "summary"
    if verb not in COMMANDS:
        verbs = f": it has {', '.join(COMMANDS)}, and %tf_runtime --help says what they do"
        msg = f"%tf_runtime has no {verb!r}{nearest_word(verb, COMMANDS) or verbs}"
        raise UsageLineError(msg)
    parsed = parse(words, COMMANDS[verb])
    if parsed.help:
        return Sentence(COMMANDS[verb].help())
    if parsed.rest and verb not in _TAKE_WORDS:
        msg = f"{' '.join(parsed.rest)!r} was not expected: {COMMANDS[verb].usage}"
        raise UsageLineError(msg)
    if verb == "reset":
        _reset(show)
        return None
    return _VERBS[verb](parsed)


def _summary(_: Parsed) -> View:
    from tfmagic.panel.snapshot.snapshot import snapshot
    from tfmagic.panel.views.summary import Summary

    return Summary(snapshot())


def _libraries(_: Parsed) -> View:
    from tfmagic.panel.views.libraries import LibrariesPage
    from tfmagic.runtime.custom_ops.libraries_report import libraries_record

    return LibrariesPage(libraries_record())


def _devices(_: Parsed) -> View:
    from tfmagic.panel.views.summary import DevicePage
    from tfmagic.runtime.session.devices import devices

    return DevicePage(devices())


def _memory(_: Parsed) -> View:
    from tfmagic.model.memory_record import memory_record
    from tfmagic.panel.views.memory import MemoryPage

    return MemoryPage(memory_record())


def _placement(parsed: Parsed) -> View:
    models = the_models()
    asked = [models[name] for name in parsed.rest] or models.present()
    if not asked:
        return Sentence(NO_MODELS)
    from tfmagic.model.running.placement_probe import placement
    from tfmagic.panel.views.placement import PlacementPage, PlacementPages

    everything, anew = parsed.flag("all"), parsed.flag("anew")
    return PlacementPages(
        [PlacementPage(placement(model.caller, again=anew), everything=everything) for model in asked]
    )


def _log(parsed: Parsed) -> View:
    from tfmagic.panel.views.log import LogPage
    from tfmagic.runtime.native_log.log import native_log

    log = native_log()
    log.settle(_FLOOD_S)
    page = LogPage(log.record(errors=parsed.flag("errors")))
    if parsed.flag("clear"):
        log.entries.clear()
    return page


def _config(_: Parsed) -> View:
    from tfmagic.panel.views.configuration import ConfigurationPage
    from tfmagic.runtime.session.config_record import configuration

    return ConfigurationPage(configuration())


def _load(parsed: Parsed) -> View:
    words = parsed.rest
    if len(words) != 1:
        problem = f"{' '.join(words[1:])!r} was not expected" if words else "which library?"
        msg = f"{problem}: %tf_runtime load PATH (a path with blanks in quotes)"
        raise UsageLineError(msg)
    from tfmagic.panel.views.libraries import OpLibraryLoaded
    from tfmagic.runtime.custom_ops.libraries import op_libraries

    library, anew = op_libraries().load(unquoted(words[0]))
    return OpLibraryLoaded(library.record, library.functions, anew=anew)


def _reset(show: Callable[[View], None]) -> None:
    if "tensorflow" not in sys.modules and not the_models():
        show(Sentence("there was nothing to reset: TensorFlow is not imported yet"))
        return
    from tfmagic.model.reset import reset
    from tfmagic.panel.views.sentences import reset_text

    try:
        show(Sentence(reset_text(reset(the_models()))))
    except DropError as error:
        if error.record["models"]:
            show(Sentence(reset_text(error.record)))
        raise


_VERBS: dict[str, Callable[[Parsed], View]] = {
    "summary": _summary,
    "libraries": _libraries,
    "devices": _devices,
    "memory": _memory,
    "placement": _placement,
    "log": _log,
    "config": _config,
    "load": _load,
}
_TAKE_WORDS = {"load", "placement"}
