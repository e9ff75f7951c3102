"""The declared options of a magic: what they are, how they read, their help."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tfmagic.errors import UsageLineError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Kind = Literal["", "device", "ends", "executor", "expression", "out", "path", "signature", "tags", "tensors"]
"""The kinds of an option's value."""

_LOOKS_LIKE_AN_OPTION = re.compile(r"^--?[A-Za-z]")


@dataclass(frozen=True)
class Option:
    """An option: its name with dashes, the name of its value (empty for a flag), and the value's kind for Tab."""

    name: str
    help: str
    value: str = ""
    kind: Kind = ""

    @property
    def key(self) -> str:
        """The name without dashes."""
        return self.name.lstrip("-")


@dataclass(frozen=True)
class Command:
    """A magic, or one of its verbs: the usage line without options, a summary, and the options."""

    usage: str
    summary: str
    options: tuple[Option, ...] = ()

    def help(self) -> str:
        """Return usage, summary and options as text."""
        lines = [
            self.usage + (" [options]" if self.options else ""),
            *textwrap.wrap(self.summary, 76, initial_indent="    ", subsequent_indent="    "),
        ]
        for option in self.options:
            head = f"{option.name} {option.value}".strip()
            lines.extend(
                textwrap.wrap(option.help, 78, initial_indent=f"      {head:<16} ", subsequent_indent=" " * 23)
            )
        return "\n".join(lines)


def help_of(commands: Iterable[Command]) -> str:
    """Return the help of several commands."""
    return "\n\n".join(command.help() for command in commands)


@dataclass
class Parsed:
    """A parsed line: the words that belong to no option, and the options by name without dashes, True for a flag."""

    rest: list[str] = field(default_factory=list)
    values: dict[str, str | bool] = field(default_factory=dict)
    help: bool = False

    def text(self, key: str) -> str | None:
        """Return the value of an option; None where it is missing."""
        value = self.values.get(key)
        return value if isinstance(value, str) else None

    def flag(self, key: str) -> bool:
        """Return whether a flag was given."""
        return self.values.get(key) is True

    def expect(self, what: str, command: Command, least: int = 1) -> None:
        """Refuse a line with fewer words than these that belong to no option."""
        if len(self.rest) < least:
            msg = f"{what} expected: {command.usage}"
            raise UsageLineError(msg)

    def refuse_words(self, command: Command) -> None:
        """Refuse words that belong to no option."""
        if self.rest:
            msg = f"{' '.join(self.rest)!r} was not expected: {command.usage}"
            raise UsageLineError(msg)


def parse(words: Sequence[str], command: Command) -> Parsed:
    """Separate the options of a line, wherever they stand, from its other words."""
    known = {option.name: option for option in command.options}
    parsed = Parsed()
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        name, equals, glued = word.partition("=")
        # Beside other words -h may be the rest of an expression, as in ``a -h``.
        if word == "--help" or (word == "-h" and len(words) == 1):
            parsed.help = True
        elif word in known:
            option = known[word]
            if option.value and not waiting:
                msg = f"{word} needs a value: {word} {option.value}"
                raise UsageLineError(msg)
            _store(parsed, option, unquoted(waiting.pop(0)) if option.value else None)
        elif equals and name.startswith("--") and name in known:
            if not known[name].value:
                msg = f"{name} takes no value, and {glued!r} was given"
                raise UsageLineError(msg)
            _store(parsed, known[name], unquoted(glued))
        elif _LOOKS_LIKE_AN_OPTION.match(word):
            raise UsageLineError(_unknown(word, name, known))
        else:
            parsed.rest.append(word)
    return parsed


def _store(parsed: Parsed, option: Option, value: str | None) -> None:
    if option.key in parsed.values:
        msg = f"{option.name} is given twice"
        raise UsageLineError(msg)
    parsed.values[option.key] = True if value is None else value


def _unknown(word: str, name: str, known: Mapping[str, Option]) -> str:
    if word.startswith("--"):
        return f"there is no option {name}{did_you_mean(name, known)}"
    return (
        f"{word!r} is no option{did_you_mean(word, known)}; "
        f"for a difference write it as a - {word[1:]} or in brackets, (a {word})"
    )


def unquoted(word: str) -> str:
    """Return the text in a quoted word; any other word as it is."""
    if len(word) >= 2 and word[0] == word[-1] and word[0] in "'\"" and word[0] not in word[1:-1]:
        # Not evaluated: "C:\new" is a path without a line break.
        return word[1:-1]
    try:
        value = ast.literal_eval(word)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return word
    return value if isinstance(value, str) else word
