"""What Tab offers in a line that begins with a verb, and in the first line of ``%%tf_model``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tfmagic.magics.commands import model, runtime
from tfmagic.magics.completion.candidates import Candidates, starting
from tfmagic.magics.completion.option_values import LineContext, option_names, option_value
from tfmagic.magics.completion.paths import LIBRARIES, MODELS, paths, sources
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


def verb_line(line: MagicLine, names: PythonNames) -> Candidates:
    """Offer what could stand at the cursor."""
    if line.cell:
        return _arguments(line, model.CELL, typed(line.before, line.after, model.CELL), names)
    commands = model.COMMANDS if line.magic == "tf_model" else runtime.COMMANDS
    here = split_partial(line.before)
    if not here.words:
        shown = the_models() if line.magic == "tf_model" else ()
        return starting(here.word, commands, "verb") + starting(here.word, shown, "model")
    command = commands.get(here.words[0])
    if command is None:
        return Candidates()
    return _arguments(line, command, typed(line.before, line.after, command, skip=1), names)


def _arguments(line: MagicLine, command: Command, read: Typed, names: PythonNames) -> Candidates:
    # What the words of the command are, as its usage says: NAME, PATH, NAME|PATH, SOURCE.
    places = [word for word in (word.strip("[]") for word in command.usage.split()) if _PLACE.match(word)]
    if read.dashed:
        return option_names(read, command)
    if read.option is not None:
        return option_value(_context(line, places, read, names))
    at = len(read.rest)
    # Any further word belongs to a last place with dots, or to a SOURCE, which can be of several words.
    repeated = places[-1] if places and places[-1].endswith(("...", "SOURCE")) else ""
    place = places[at] if at < len(places) else repeated
    if place == "SOURCE":
        return sources(read, read.rest[places.index(place) :], names, line.leading)
    candidates = Candidates(read.plain)
    if "NAME" in place:
        candidates += starting(read.plain, _models(line, places), "model", without={*read.rest, *read.later})
    if "PATH" in place:
        suffixes = MODELS if line.magic == "tf_model" else LIBRARIES
        candidates += paths(read.plain, quoted=bool(read.partial.quote), suffixes=suffixes)
    return candidates


def _models(line: MagicLine, places: list[str]) -> list[str]:
    models = the_models()
    if line.cell:
        # Only such a name can be built by this cell without --replace.
        return [name for name, model in models.items() if model.source.kind == "cell"]
    return [] if "SOURCE" in places else list(models)


def _context(line: MagicLine, places: list[str], read: Typed, names: PythonNames) -> LineContext:
    # An option may come before the words that it is about: then those stand after the cursor.
    words = (*read.rest, *read.later)
    named = glance(words[0]) if words else None
    source = unquoted(words[1]) if "SOURCE" in places and len(words) > 1 else None
    return LineContext(read, names, line.leading, models=[] if named is None else [named], source=source)
