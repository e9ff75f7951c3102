"""A trouble: what is likely to be wrong, in words, and what to type."""

from __future__ import annotations

import shlex
import sys
from typing import TypedDict


class Trouble(TypedDict):
    """Something that is likely to be wrong.

    Attributes
    ----------
    name
        A short name that stays the same: ``tensorflow-missing``.
    what
        What is so, and what comes of it, in a sentence or two.
    remedy
        What to type, a line each; empty where no command helps.
    """

    name: str
    what: str
    remedy: list[str]


def trouble(name: str, what: str, *remedy: str) -> Trouble:
    """Return a trouble."""
    return {"name": name, "what": what, "remedy": list(remedy)}


def pip(words: str) -> str:
    """Return a command of the pip that belongs to this Python, whichever ``pip`` the path has."""
    return f"{python()} -m pip {words}"


def python() -> str:
    """Return this Python as it is typed."""
    return shlex.quote(sys.executable)
