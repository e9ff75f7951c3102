"""Which names a model can have."""

from __future__ import annotations

import keyword
import re
import unicodedata
from typing import TYPE_CHECKING

from tfmagic.errors import ImpossibleNameError, NameTakenError

if TYPE_CHECKING:
    from collections.abc import Iterable

VERBS = ("add", "list", "show", "park", "wake", "drop", "stop", "save", "sync", "move")
"""The words that follow ``%tf_model``; ``%tf_model NAME`` means ``show NAME``."""

NAMES_ARE = "a name is made of letters, digits and _, and begins with a letter"
"""What models can be called, in a clause."""

_SHOWN_CHARACTERS = 100
_OF_AN_OPERATION = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*$")


PLACEHOLDER = re.compile(r"\{+([^{}]+)\}+|\$(\w+)")
"""What IPython's own magics put a value in for, and these do not."""


def first_repeated(names: Iterable[str]) -> str | None:
    """Return the first name that comes a second time; None where each is there once."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def check_name(name: str, taken_by_python: frozenset[str]) -> None:
    """Refuse a name that cannot be typed wherever a model's name can.

    `taken_by_python` are attributes of the registry, which ``models.NAME`` would find instead.
    """
    if not isinstance(name, str):
        msg = f"a model's name is a string, not a {type(name).__name__}"
        raise ImpossibleNameError(msg)
    if name in VERBS:
        msg = f"{name!r} is a verb of %tf_model and no model's name: choose another, such as '{name}_model'"
        raise NameTakenError(msg)
    if keyword.iskeyword(name):
        msg = f"{name!r} cannot be a model's name, for it is a word of Python: choose another, such as '{name}_model'"
        raise ImpossibleNameError(msg)
    if name in taken_by_python:
        msg = (
            f"{name!r} cannot be a model's name (models.{name} means something else): "
            f"choose another, such as '{name}_model'"
        )
        raise NameTakenError(msg)
    plain = unicodedata.normalize("NFKC", name)
    if plain != name and plain.isidentifier():
        msg = f"{name!r} cannot be a model's name, for Python reads it as {plain!r}: choose that"
        raise ImpossibleNameError(msg)
    if not name.isidentifier() or name.startswith("_"):
        if placeholder := PLACEHOLDER.fullmatch(name):
            expression = placeholder[1] or placeholder[2]
            msg = f"{name!r} is no name: these lines put no value in for it; models.add({expression}, SOURCE) does"
            raise ImpossibleNameError(msg)
        near = re.sub(r"\W+", "_", name).strip("_")
        near = f"m{near}" if near[:1].isdigit() else near
        near = f"{near}_model" if keyword.iskeyword(near) or near in taken_by_python.union(VERBS) else near
        hint = f", such as {near!r}" if near.isidentifier() else ""
        msg = f"{name!r} cannot be a model's name: {NAMES_ARE}{hint}"
        raise ImpossibleNameError(msg)


def names_an_operation(name: str) -> bool:
    """Return whether an operation of a graph can have this name."""
    return _OF_AN_OPERATION.match(name) is not None


def in_words(name: str) -> str:
    """Return a name out of a file as it can stand in a line: short, and without line ends and the like."""
    return name if name.isprintable() and len(name) <= _SHOWN_CHARACTERS else ascii(name[:_SHOWN_CHARACTERS])


def unique(names: Iterable[str]) -> list[str]:
    """Return the names with a number after each repeated one: ``a``, ``a_1``."""
    originals = list(names)
    result: list[str] = []
    for name in originals:
        number, candidate = 0, name
        while candidate in result or (number and candidate in originals):
            number += 1
            candidate = f"{name}_{number}"
        result.append(candidate)
    return result
