"""``%tf_runtime``: the one TensorFlow of this kernel, looked at and given back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tfmagic.errors import DropError, UsageLineError, nearest_word
from tfmagic.magics.grammar.line import split
from tfmagic.magics.grammar.options import Command, Option, help_of, parse, unquoted
from tfmagic.model.memory_record import memory_record
from tfmagic.model.registry import the_models
from tfmagic.panel.snapshot.snapshot import snapshot
from tfmagic.panel.views.libraries import GpuPage, LibrariesPage, OpLibraryLoaded
from tfmagic.panel.views.model_pages import NO_MODELS
from tfmagic.panel.views.placement import PlacementPage
from tfmagic.panel.views.runtime_pages import ConfigurationPage, LogPage, MemoryPage
from tfmagic.panel.views.sentences import reset_text
from tfmagic.panel.views.summary import DevicePage, Summary
from tfmagic.panel.views.view import Sentence, View
from tfmagic.runtime.custom_ops.libraries import op_libraries
from tfmagic.runtime.custom_ops.libraries_report import gpu_here, libraries_record
from tfmagic.runtime.native_log.log import native_log
from tfmagic.runtime.session.config_record import configuration
from tfmagic.runtime.session.devices import devices

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
    "gpu": Command(
        "%tf_runtime gpu",
        "Say whether TensorFlow uses a GPU, and if not: why, what to type, and what was looked at.",
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


DOCUMENTED = tuple(COMMANDS.values())


def run_line(line: str, show: Callable[[View], None]) -> View | None:
    """Run a ``%tf_runtime`` line; return the view of a verb that looks or loads. `show` displays what others did."""
    words = list(split(line).words)
    if words[:1] in (["--help"], ["-h"]):
        return Sentence(help_of(DOCUMENTED))
    verb = words.pop(0) if words else "summary"
    if verb not in COMMANDS:
        verbs = f": it has {', '.join(COMMANDS)}, and %tf_runtime --help says what they do"
        msg = f"%tf_runtime has no {verb!r}{nearest_word(verb, COMMANDS) or verbs}"
        raise UsageLineError(msg)
    parsed = parse(words, COMMANDS[verb])
    if parsed.help:
        return Sentence(COMMANDS[verb].help())
    if verb not in {"load", "placement"}:
        parsed.refuse_words(COMMANDS[verb])
    if verb == "reset":
        _reset(show)
        return None
    return _VERBS[verb](parsed)


def _placement(parsed: Parsed) -> View:
    models = the_models()
    named = [models[name] for name in parsed.rest] or models.present()
    if not named:
        return Sentence(NO_MODELS)
    from tfmagic.model.running.placement_probe import placement

    again = parsed.flag("anew")
    return PlacementPage([placement(model.caller, again=again) for model in named], everything=parsed.flag("all"))


def _log(parsed: Parsed) -> View:
    log = native_log()
    log.drain(_FLOOD_S)
    page = LogPage(log.record(errors=parsed.flag("errors")))
    if parsed.flag("clear"):
        log.entries.clear()
    return page


def _load(parsed: Parsed) -> View:
    words = parsed.rest
    if len(words) != 1:
        problem = f"{' '.join(words[1:])!r} was not expected" if words else "which library?"
        msg = f"{problem}: %tf_runtime load PATH (a path with blanks in quotes)"
        raise UsageLineError(msg)
    library, is_new = op_libraries().load(unquoted(words[0]))
    return OpLibraryLoaded(library.record, library.functions, is_new=is_new)


_VERBS: dict[str, Callable[[Parsed], View]] = {
    "summary": lambda _: Summary(snapshot()),
    "libraries": lambda _: LibrariesPage(libraries_record()),
    "gpu": lambda _: GpuPage(gpu_here()),
    "devices": lambda _: DevicePage(devices()),
    "memory": lambda _: MemoryPage(memory_record()),
    "config": lambda _: ConfigurationPage(configuration()),
    "placement": _placement,
    "log": _log,
    "load": _load,
}


def _reset(show: Callable[[View], None]) -> None:
    if "tensorflow" not in sys.modules and not the_models():
        show(Sentence("there was nothing to reset: TensorFlow is not imported yet"))
        return
    from tfmagic.model.reset import reset

    try:
        show(Sentence(reset_text(reset(the_models()))))
    except DropError as error:
        if error.record["models"]:
            show(Sentence(reset_text(error.record)))
        raise
