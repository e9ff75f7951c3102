"""Places beside the notebook's names in which something may hold a dropped model: the shell tells of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.runtime.process import once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Provider = Callable[[], Iterable[tuple[str, Any, str]]]


def also_look(name: str, provider: Provider) -> None:
    """Have a place searched that is no name of the notebook.

    Parameters
    ----------
    name
        For `forget`; one who comes with the same name takes its place.
    provider
        Returns what is there now: a label, the value, and what to type to let go.
        The same label twice is one place.
    """
    places()[name] = provider


def forget(name: str) -> None:
    """Have a place searched no longer; unknown ones are no error."""
    places().pop(name, None)


def places() -> dict[str, Provider]:
    """Return the places, by the names under which they were told."""
    return once("places", dict[str, "Provider"])
