"""What Tab offers in a line of ``%tf_runtime``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.magics.commands.runtime import COMMANDS
from tfmagic.magics.completion.candidates import Candidates, starting
from tfmagic.magics.completion.model_line import places_of
from tfmagic.magics.completion.option_values import option_names
from tfmagic.magics.completion.paths import paths
from tfmagic.magics.completion.typed_words import typed
from tfmagic.magics.grammar.line import split_partial
from tfmagic.model.registry import the_models

if TYPE_CHECKING:
    from tfmagic.magics.completion.cursor import MagicLine

_LIBRARIES = (".so", ".dylib", ".dll")


def runtime_line(line: MagicLine) -> Candidates:
    """Offer what could stand at the cursor."""
    here = split_partial(line.before)
    if not here.words:
        return starting(here.word, COMMANDS, "verb")
    command = COMMANDS.get(here.words[0])
    if command is None:
        return Candidates()
    read = typed(line.before, line.after, command, skip=1)
    if read.dashed:
        return option_names(read, [option.name for option in command.options])
    places = places_of(command)
    if read.option is not None or not places:
        return Candidates()
    if places[0] == "NAME...":
        return starting(read.plain, the_models(), "model", without={*read.rest, *read.later})
    return Candidates() if read.rest else paths(read.plain, quoted=bool(read.partial.quote), suffixes=_LIBRARIES)
