"""What Tab offers: texts, and the text before the cursor whose place they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable


@dataclass(frozen=True)
class Offer:
    """One text that could stand at the cursor, and what a front end calls its type."""

    text: str
    type: str


@dataclass(frozen=True)
class Offers:
    """All that is offered at one place.

    Attributes
    ----------
    fragment
        What stands before the cursor and is replaced.
    found
        The offers, in the order in which they are shown.
    """

    fragment: str = ""
    found: tuple[Offer, ...] = ()

    def __add__(self, other: Offers) -> Offers:
        """Return both, these first; either replaces the longer of the two fragments."""
        if not self.found or not other.found:
            return self if self.found else other
        fragment = max(self.fragment, other.fragment, key=len)
        found = {one.text: one for part in (other, self) for one in part.widened(fragment)}
        order = [one.text for part in (self, other) for one in part.widened(fragment)]
        return Offers(fragment, tuple(found[text] for text in dict.fromkeys(order)))

    def widened(self, fragment: str) -> list[Offer]:
        """Return the offers as they replace a longer fragment."""
        kept = fragment.removesuffix(self.fragment)
        return [Offer(kept + one.text, one.type) for one in self.found]


def starting(
    fragment: str, words: Iterable[str], kind: str, *, without: Container[str] = (), suffix: str = ""
) -> Offers:
    """Offer the words that begin as the fragment does; where none does, whatever the case.

    Parameters
    ----------
    fragment
        What has been typed.
    words
        What could be meant.
    kind
        What a front end calls the type of these.
    without
        Words that are not to be offered, such as those given already.
    suffix
        What follows each word, such as the ``=`` of an input.
    """
    left = [word for word in dict.fromkeys(words) if word not in without]
    found = [word for word in left if word.startswith(fragment)]
    if not found:
        found = [word for word in left if word.lower().startswith(fragment.lower())]
    return Offers(fragment, tuple(Offer(word + suffix, kind) for word in found))
