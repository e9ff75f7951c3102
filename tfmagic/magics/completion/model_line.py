"""What Tab offers in a line of ``%tf_model``, or the first of ``%%tf_model``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tfmagic.magics.commands.model import CELL, COMMANDS
from tfmagic.magics.completion.candidates import Candidates, starting
from tfmagic.magics.completion.option_values import LineContext, option_names, option_value
from tfmagic.magics.completion.paths import paths
from tfmagic.magics.completion.source_paths import sources
from tfmagic.magics.completion.typed_words import Typed, typed
from tfmagic.magics.grammar.line import split_partial
from tfmagic.magics.grammar.options import unquoted
from tfmagic.model.glance import glance
from tfmagic.model.registry import the_models

if TYPE_CHECKING:
    from tfmagic.magics.completion.cursor import MagicLine
    from tfmagic.magics.completion.python_names import PythonNames
    from tfmagic.magics.grammar.options import Command

_PLACE = re.compile(r"^([A-Z]+(?:\|[A-Z]+)*)(\.\.\.)?$")


def model_line(line: MagicLine, names: PythonNames) -> Candidates:
    """Offer what could stand at the cursor."""
    if line.cell:
        return _candidates(line, CELL, typed(line.before, line.after, CELL), names)
    here = split_partial(line.before)
    if not here.words:
        bare = COMMANDS["list"]
        if here.word.startswith("-"):
            return option_names(typed(line.before, line.after, bare), [option.name for option in bare.options])
        return starting(here.word, COMMANDS, "verb") + starting(here.word, the_models(), "model")
    verb = here.words[0]
    if verb not in COMMANDS:
        return Candidates()
    return _candidates(line, COMMANDS[verb], typed(line.before, line.after, COMMANDS[verb], skip=1), names)


def _candidates(line: MagicLine, command: Command, read: Typed, names: PythonNames) -> Candidates:
    places = places_of(command)
    if read.option is not None:
        return option_value(read, _line_context(line, places, read, names))
    if read.dashed:
        return option_names(read, [option.name for option in command.options])
    at = len(read.rest)
    place = places[at] if at < len(places) else _repeated(places)
    if place == "SOURCE":
        return sources(read, read.rest[places.index(place) :], names, line.leading)
    candidates = Candidates(read.plain)
    if "NAME" in place:
        candidates += starting(read.plain, _models(line, places), "model", without={*read.rest, *read.later})
    if "PATH" in place:
        candidates += paths(read.plain, quoted=bool(read.partial.quote))
    return candidates


def places_of(command: Command) -> list[str]:
    """Return what the words of a command are, as its usage says: ``NAME``, ``PATH``, ``NAME|PATH``, ``SOURCE``."""
    return [word.strip("[]") for word in command.usage.split() if _PLACE.match(word.strip("[]"))]


def _repeated(places: list[str]) -> str:
    """Return the place that takes any further word: one with dots, or a SOURCE, which can be of several words."""
    last = places[-1] if places else ""
    return last if last.endswith("...") or last == "SOURCE" else ""


def _models(line: MagicLine, places: list[str]) -> list[str]:
    models = the_models()
    if line.cell:
        # Only such a name can be built by this cell without --replace.
        return [name for name, model in models.items() if model.source.kind == "cell"]
    return [] if "SOURCE" in places else list(models)


def _line_context(line: MagicLine, places: list[str], read: Typed, names: PythonNames) -> LineContext:
    # An option may come before the words that it is about: then those stand after the cursor.
    words = (*read.rest, *read.later)
    model = glance(words[0]) if words else None
    source = words[1] if "SOURCE" in places and len(words) > 1 else None
    return LineContext(
        names,
        line.leading,
        models=[] if model is None else [model],
        source=None if source is None else unquoted(source),
    )
