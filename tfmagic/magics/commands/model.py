"""``%tf_model``: the verbs, each of which calls ``models`` and shows what came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.core.arguments import seconds
from tfmagic.core.naming import NAMES_ARE, VERBS
from tfmagic.core.units import counted
from tfmagic.errors import DropError, UsageLineError, nearest_word
from tfmagic.execution.signature.options import Options
from tfmagic.formats.kinds import check_path, source_of
from tfmagic.magics.grammar.destination import destination
from tfmagic.magics.grammar.expression import evaluate
from tfmagic.magics.grammar.line import split
from tfmagic.magics.grammar.options import Command, Option, Parsed, help_of, parse
from tfmagic.magics.grammar.source import resolve
from tfmagic.model.registry import check_model_name, the_models
from tfmagic.panel.views.model_pages import FilePage, ModelPage, ModelTable
from tfmagic.panel.views.sentences import added_text, dropped_text, parked_text, saved_text, stopped_text, woken_text
from tfmagic.panel.views.view import Code, Sentence, View
from tfmagic.runtime.startup.importing import require_tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tfmagic.model.model import Model

_ENDS = (
    Option("--inputs", "name or rename inputs: NAME=op:0, commas between several", "ENDS", "ends"),
    Option("--outputs", "name or rename outputs: NAME=op:0, commas between several", "ENDS", "ends"),
    Option("--device", "where to run: cpu, gpu, gpu:1, or TensorFlow's full form", "D", "device"),
    Option("--replace", "take the name over from another source"),
)

COMMANDS: dict[str, Command] = {
    "list": Command("%tf_model [list]", "Show a table of the models."),
    "add": Command(
        "%tf_model add NAME SOURCE",
        "Register a model. SOURCE is a path, an object of the notebook, or an expression: in quotes a path, in "
        "brackets an expression, otherwise a name of the notebook before a path before an expression. The same line "
        "again keeps the model, or renews it where its file or object has changed.",
        (
            Option("--signature", "the default signature of a SavedModel", "S", "signature"),
            Option("--tags", "the tag set of a SavedModel", "T,T", "tags"),
            *_ENDS,
            Option("--lazy", "load at first use"),
            Option("--warm", "run now, and find out how it runs the quickest, so that the first call is a fast one"),
            Option("--unsafe", "let a file run Python, and touch files other than its own assets"),
            Option("--copy", "give a live object a graph of its own instead of sharing: fast, independent weights"),
            Option("--frozen", "keep a frozen graph's constants as constants: large ones are otherwise variables"),
            Option("--compile", "have XLA make machine code of it, for each shape of input; says how long it took"),
            Option("--executor", "whose thread runs it: caller or pool (default: what is quicker)", "E", "executor"),
            Option("--timeout", "give up after so many seconds: what a file runs as it is loaded may never end", "S"),
            Option("--objects", "classes of a Keras file (default: the notebook's): [MyLayer]", "EXPR", "expression"),
        ),
    ),
    "show": Command(
        "%tf_model show NAME|PATH",
        "Show everything about one model; of a path: signatures, size and whether it fits, without loading it.",
        (Option("--python", "plain TensorFlow code that gives the same answers without tfmagic"),),
    ),
    "stop": Command(
        "%tf_model stop NAME...",
        "Wait until models do nothing any more: until an interrupted run has ended, or what another thread runs.",
        (Option("--now", "cancel it; variables stay as they stand, and a half-finished step may show"),),
    ),
    "save": Command(
        "%tf_model save NAME PATH",
        "Write a model to disk with its present weights. The suffix says the format: none is a SavedModel folder, "
        ".keras a Keras file, .pb a frozen graph.",
        (Option("--replace", "put it in the place of what is there"),),
    ),
    "sync": Command(
        "%tf_model sync NAME...", "Take the present weights of live objects into models that were added with --copy."
    ),
    "park": Command(
        "%tf_model park NAME...",
        "Have models take no tensor memory until they are next run. What their source does not give again goes to "
        "disk, optimizer slots included.",
    ),
    "wake": Command("%tf_model wake NAME...", "Give parked models their memory back now; running one does so, too."),
    "drop": Command(
        "%tf_model drop NAME...",
        "Drop models: their calls end, and their memory goes back to the system.",
        (Option("--all", "drop every model"),),
    ),
}

CELL = Command(
    "%%tf_model NAME",
    "The cell builds the graph of a model, in a room of its own: its variables and Python names meet no others. "
    "Placeholders become inputs, and named tensors that nothing consumes outputs. "
    "Run again, it starts from its initial values; the weights of a model that was trained since stay as NAME~1.",
    (
        *_ENDS,
        Option("--eager", "run the cell eagerly; its last expression is the model"),
        Option("--keep", "when run again, keep the weights of variables of the same name, shape and dtype"),
    ),
)


DOCUMENTED = (*COMMANDS.values(), CELL)


def run_line(line: str, names: Mapping[str, Any], show: Callable[[View], None]) -> View | None:
    """Run a ``%tf_model`` line whose expressions see `names`; return the view of a verb that only looks.

    `show` displays what other verbs did.
    """
    words = list(split(line).words)
    if "--help" in words[:1] or words == ["-h"]:
        return Sentence(help_of(DOCUMENTED))
    verb = words.pop(0) if words else "list"
    if verb not in COMMANDS:
        return _show_named(verb, words)
    parsed = parse(words, COMMANDS[verb])
    if parsed.help:
        return Sentence(COMMANDS[verb].help())
    if verb == "list":
        parsed.refuse_words(COMMANDS[verb])
        return ModelTable(the_models().records())
    if verb == "show":
        return _show(parsed)
    try:
        show(Sentence(_run_verb(verb, parsed, names)))
    except DropError as error:
        if error.record["models"]:
            show(Sentence(dropped_text(error.record)))
        raise
    return None


def _run_verb(verb: str, parsed: Parsed, names: Mapping[str, Any]) -> str:
    """Do what a verb says, and return the result as a sentence."""
    if verb == "add":
        return _add(parsed, names)
    if verb == "save":
        return _save(parsed, names)
    if verb == "drop":
        return _drop(parsed)
    parsed.expect("a model's name was", COMMANDS[verb])
    named = [the_models()[name] for name in _names(parsed)]
    return "\n".join(_OF_EACH_MODEL[verb](model, parsed) for model in named)


_OF_EACH_MODEL: dict[str, Callable[[Model, Parsed], str]] = {
    "stop": lambda model, parsed: stopped_text(model.stop(now=parsed.flag("now"))),
    "sync": lambda model, _: f"{model.name}: took the present values of {counted(model.sync(), 'variable')}",
    "park": lambda model, _: parked_text(model.park()),
    "wake": lambda model, _: woken_text(model.wake()),
}


def run_cell(line: str, make_source: Callable[[bool], Any]) -> View:
    """Build a model from a cell; `make_source` makes the cell's source once the line is valid, eager for True."""
    parsed = parse(split(line).words, CELL)
    if parsed.help:
        return Sentence(CELL.help())
    if len(parsed.rest) == 2 and parsed.rest[0] == "add":
        msg = f"a cell needs no 'add': type %%tf_model {parsed.rest[1]}"
        raise UsageLineError(msg)
    if len(parsed.rest) != 1:
        more = f" ({NAMES_ARE})" if parsed.rest else ""
        msg = f"one name was expected, for the model that this cell builds: {CELL.usage}{more}"
        raise UsageLineError(msg)
    require_tensorflow()
    admission = the_models().admit(
        parsed.rest[0],
        make_source(parsed.flag("eager")),
        _options(parsed),
        replace=parsed.flag("replace"),
        keep=parsed.flag("keep"),
    )
    return Sentence(added_text(admission.model.record(), admission.outcome, admission.previous))


# Verbs of other tools, and what to type here instead.
_WORDS_OF_OTHER_TOOLS = {
    "compare": "%tf_run OLD,NEW EXPR runs several models on the same inputs, and compares what they give",
    "run": "%tf_run NAME EXPR runs a model",
    "load": "%tf_model add NAME SOURCE registers a model",
    "remove": "%tf_model drop NAME lets go of a model",
    "delete": "%tf_model drop NAME lets go of a model",
    "rm": "%tf_model drop NAME lets go of a model",
}


def _show_named(word: str, more: list[str]) -> View:
    models = the_models()
    if word in models and not more:
        return ModelPage(models[word].record(), models[word].variables)
    if word in models:
        msg = f"{' '.join(more)!r} was not expected: %tf_model {word} shows the model; to run it: %tf_run {word} …"
        raise UsageLineError(msg)
    if word in VERBS:
        msg = f"%tf_model {word} is not in this version (it has: {', '.join(COMMANDS)})"
        raise UsageLineError(msg)
    if word in _WORDS_OF_OTHER_TOOLS:
        msg = f"%tf_model has no verb {word!r}: {_WORDS_OF_OTHER_TOOLS[word]}"
        raise UsageLineError(msg)
    verbs = f": its verbs are {', '.join(COMMANDS)}, and %tf_model --help says what they do"
    msg = f"%tf_model has no verb or model {word!r}{nearest_word(word, [*COMMANDS, *models]) or verbs}"
    raise UsageLineError(msg)


def _show(parsed: Parsed) -> View:
    if len(parsed.rest) != 1:
        msg = f"one name or path was expected: {COMMANDS['show'].usage}"
        raise UsageLineError(msg)
    (name,) = parsed.rest
    models = the_models()
    if parsed.flag("python"):
        return Code(models[name].python())
    if name in models:
        return ModelPage(models[name].record(), models[name].variables)
    path = resolve(name, {}) if name.startswith(("'", '"')) or not name.isidentifier() else name
    if name.isidentifier():
        from pathlib import Path

        if not Path(name).exists():
            models[name]  # raises, and suggests the nearest model
    return FilePage(models.inspect(path))


def _add(parsed: Parsed, names: Mapping[str, Any]) -> str:
    parsed.expect("a name and a source were", COMMANDS["add"], 2)
    name, *words = parsed.rest
    # Before the source, so that a mistyped name is not blamed on the source.
    check_model_name(name)
    text = " ".join(words)
    models = the_models()
    # Before TensorFlow, whose import takes seconds.
    source = resolve(text, names)
    check_path(source)
    require_tensorflow()
    objects, timeout = parsed.text("objects"), parsed.text("timeout")
    options = _options(parsed, None if objects is None else evaluate(objects, names))
    admission = models.admit(
        name,
        source_of(source, text),
        options,
        replace=parsed.flag("replace"),
        lazy=parsed.flag("lazy"),
        warm=parsed.flag("warm"),
        timeout=None if timeout is None else seconds("--timeout", timeout),
    )
    model = admission.model
    # A live object has only one way to run: nothing to warm.
    warmed = model.lifecycle.is_warm if parsed.flag("warm") and model.mode == "graph" else None
    return added_text(model.record(), admission.outcome, admission.previous, warmed=warmed)


def _save(parsed: Parsed, names: Mapping[str, Any]) -> str:
    parsed.expect("a model's name and a path were", COMMANDS["save"], 2)
    name, *path = parsed.rest
    model = the_models()[name]
    model.save(destination(" ".join(path), names), replace=parsed.flag("replace"))
    return "" if model.saved is None else saved_text(name, model.saved.record())


def _drop(parsed: Parsed) -> str:
    everything = parsed.flag("all")
    if not everything and not parsed.rest:
        msg = f"a model's name, or --all, was expected: {COMMANDS['drop'].usage}"
        raise UsageLineError(msg)
    if everything and parsed.rest:
        msg = "names and --all together were not expected: give one of the two"
        raise UsageLineError(msg)
    return dropped_text(the_models().drop(*_names(parsed), all=everything))


def _names(parsed: Parsed) -> list[str]:
    """Return the names on a line, each once, separated by blanks or, as in ``%tf_run``, commas."""
    return list(dict.fromkeys(name for word in parsed.rest for name in word.split(",") if name))


def _options(parsed: Parsed, objects: Any = None) -> Options:
    return Options.checked(
        signature=parsed.text("signature"),
        tags=parsed.text("tags"),
        inputs=parsed.text("inputs"),
        outputs=parsed.text("outputs"),
        device=parsed.text("device"),
        unsafe=parsed.flag("unsafe"),
        copy=parsed.flag("copy"),
        objects=objects,
        frozen=parsed.flag("frozen"),
        executor=parsed.text("executor"),
        compile=parsed.flag("compile"),
    )
