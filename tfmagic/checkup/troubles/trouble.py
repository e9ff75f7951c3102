"""A trouble: what is likely to be wrong, and what to type."""

from __future__ import annotations

import shlex
import sys
from typing import TypedDict


class Trouble(TypedDict):
    """A likely fault: a stable short name, what is so and its consequence, and the lines to type, if any help."""

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
