"""What Tab offers: texts, and the fragment before the cursor that they replace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable


@dataclass(frozen=True)
class Candidate:
    """A text that could stand at the cursor, and its type as front ends name it."""

    text: str
    type: str


@dataclass(frozen=True)
class Candidates:
    """All that is offered at one place, in the order shown; each replaces `fragment`, the text before the cursor."""

    fragment: str = ""
    items: tuple[Candidate, ...] = ()

    def __add__(self, other: Candidates) -> Candidates:
        """Return both, these first; all replace the longer of the two fragments."""
        if not self.items or not other.items:
            return self if self.items else other
        fragment = max(self.fragment, other.fragment, key=len)
        mine, theirs = self.widened(fragment), other.widened(fragment)
        by_text = {item.text: item for item in (*theirs, *mine)}
        return Candidates(fragment, tuple(by_text[text] for text in dict.fromkeys(item.text for item in mine + theirs)))

    def widened(self, fragment: str) -> list[Candidate]:
        """Return the candidates as they replace a longer fragment."""
        head = fragment.removesuffix(self.fragment)
        return [Candidate(head + item.text, item.type) for item in self.items]


def starting(
    fragment: str, words: Iterable[str], kind: str, *, without: Container[str] = (), suffix: str = ""
) -> Candidates:
    """Offer the words that begin with `fragment`, else those that do in another case; `suffix` follows each of them."""
    allowed = [word for word in dict.fromkeys(words) if word not in without]
    matching = [word for word in allowed if word.startswith(fragment)]
    if not matching:
        matching = [word for word in allowed if word.lower().startswith(fragment.lower())]
    return Candidates(fragment, tuple(Candidate(word + suffix, kind) for word in matching))
