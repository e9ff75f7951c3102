"""A partly typed line, read by the options of its magic."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tfmagic.magics.grammar.line import PartialLine, split_partial
from tfmagic.magics.grammar.options import unquoted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tfmagic.magics.grammar.options import Command, Option

_DASHED = re.compile(r"--?[\w-]*")


@dataclass(frozen=True)
class Typed:
    """The words of a line around the cursor.

    `rest` and `later` belong to no option, and stand before and after the cursor. `word` is
    what has been typed at the cursor, of ``--option=value`` the value, and `option` is the one
    whose value it is. `values` are all options on the line.
    """

    rest: tuple[str, ...]
    word: str
    partial: PartialLine
    option: Option | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    later: tuple[str, ...] = ()

    @property
    def plain(self) -> str:
        """The word at the cursor without the quote that it begins with."""
        return self.partial.quoted if self.partial.quote and not self.partial.closers else self.word

    @property
    def dashed(self) -> bool:
        """Whether the word at the cursor is the beginning of an option."""
        return self.option is None and not self.partial.quote and _DASHED.fullmatch(self.word) is not None


def typed(before: str, after: str, command: Command, *, skip: int = 0) -> Typed:
    """Read a line around the cursor by a command's options, without its first `skip` words."""
    here = split_partial(before)
    whole = split_partial(before + after)
    words = [*whole.words, whole.word] if whole.word else list(whole.words)
    within_a_word = bool(here.word or after[:1].strip().strip("#"))
    further = words[len(here.words) + int(within_a_word) :]
    known = {option.name: option for option in command.options}
    rest, values, waiting = _walk(here.words[skip:], known)
    later, more, _ = _walk(further, known)
    word = here.word
    name, equals, glued = word.partition("=")
    if waiting is None and equals and name.startswith("--") and name in known:
        waiting, word = known[name], glued
    given = {**values, **more} if waiting is None else {**values, **more, waiting.name: ""}
    return Typed(tuple(rest), word, here, waiting, given, tuple(later))


def _walk(words: Sequence[str], known: Mapping[str, Option]) -> tuple[list[str], dict[str, str], Option | None]:
    """Return the words that are no options, the options, and one that waits for its value."""
    rest: list[str] = []
    values: dict[str, str] = {}
    waiting: Option | None = None
    for word in words:
        name, equals, glued = word.partition("=")
        if waiting is not None:
            values[waiting.name] = unquoted(word)
            waiting = None
        elif word in known and known[word].value:
            waiting = known[word]
        elif word in known:
            values[word] = ""
        elif equals and name.startswith("--") and name in known:
            values[name] = unquoted(glued)
        else:
            rest.append(word)
    return rest, values, waiting
