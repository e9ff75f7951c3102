"""What Tab offers in a line of ``%tf_run``, or the first of ``%%tf_run``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tfmagic.magics.commands.run import CELL, LINE, input_parts
from tfmagic.magics.completion.candidates import Candidates, starting
from tfmagic.magics.completion.option_values import LineContext, option_names, option_value
from tfmagic.magics.completion.typed_words import typed
from tfmagic.magics.grammar.expression import parsed
from tfmagic.model.glance import glance
from tfmagic.model.registry import the_models

if TYPE_CHECKING:
    from tfmagic.magics.completion.cursor import MagicLine
    from tfmagic.magics.completion.python_names import PythonNames

_NAME = re.compile(r"\w*")


def run_line(line: MagicLine, names: PythonNames) -> Candidates:
    """Offer what could stand at the cursor."""
    command = CELL if line.cell else LINE
    read = typed(line.before, line.after, command)
    if read.dashed:
        return option_names(read, command)
    if read.option is None and not read.rest:
        *given, fragment = [read.word] if line.cell else read.word.split(",")
        return starting(fragment, the_models(), "model", without=given)
    # An option may come before the model: then that stands after the cursor.
    words = (*read.rest, *read.later)
    named = [glance(name) for name in words[0].split(",")] if words else []
    models = [model for model in named if model is not None]
    sends = line.cell or len(words) < 2
    context = LineContext(read, names, line.leading, models, runs=not line.cell, sends=sends)
    if read.option is not None:
        return option_value(context)
    return Candidates() if line.cell else _inputs(context)


def _inputs(line: LineContext) -> Candidates:
    read, here = line.typed, line.typed.partial
    parts = input_parts([*read.rest[1:], read.word])
    name, pieces = parts[-1]
    # The piece at the cursor: what follows x= or **, or the word itself.
    own = input_parts([read.word])[0]
    starts = own[0] is not None
    current = "".join(own[1]) if starts else read.word
    earlier = [] if starts else pieces[:-1]
    complete = parsed(" ".join(earlier)) is not None
    open_ended = here.closers or here.quote
    candidates = Candidates(read.word)
    begins = not starts and not open_ended and _NAME.fullmatch(read.word) is not None
    if begins and (complete or (name is None and not earlier)):
        given = {name for name, _ in input_parts([*read.rest[1:], *read.later]) if name}
        candidates += starting(read.word, line.inputs(), "input", without=given, suffix="=")
    if complete and not open_ended:
        return candidates
    return candidates + line.names.expression(" ".join([*earlier, current]), line.leading, here)
