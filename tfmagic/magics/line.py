"""A magic's line, split into words as a person means them.

IPython hands a magic its line as it was typed. ``shlex`` would split ``X[:8, :]``
in two and take quotes away; here blanks inside brackets and quotes do not split,
and every word is kept as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from tfmagic.errors import UsageLineError

_OPENING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Line:
    """The words of a line.

    Attributes
    ----------
    words
        In order, each as it was typed.
    silent
        Whether the line ended in ``;``, which asks for no display.
    """

    words: tuple[str, ...]
    silent: bool


def split(line: str) -> Line:
    """Split a line at the blanks outside brackets and quotes.

    A comment and a trailing ``;`` are dropped.

    Raises
    ------
    UsageLineError
        For a bracket or quote that is not closed.
    """
    words = _words(line)
    silent = bool(words) and words[-1].endswith(";")
    if silent:
        last = words.pop().rstrip(";")
        if last:
            words.append(last)
    return Line(tuple(words), silent)


def _words(line: str) -> list[str]:
    words: list[str] = []
    word = ""
    closers: list[str] = []
    at = 0
    while at < len(line):
        character = line[at]
        end = _end_of_quote(line, at) if character in "'\"" else at + 1
        if character == "#" and not closers and not word:
            break
        if character.isspace() and not closers:
            words.extend([word] if word else [])
            word = ""
        else:
            _follow_brackets(character, closers)
            word += line[at:end]
        at = end
    if closers:
        msg = f"{closers[-1]!r} is missing: a bracket in {line.strip()!r} is not closed"
        raise UsageLineError(msg)
    return [*words, word] if word else words


def _follow_brackets(character: str, closers: list[str]) -> None:
    if character in _OPENING:
        closers.append(_OPENING[character])
    elif closers and character == closers[-1]:
        closers.pop()


def _end_of_quote(line: str, start: int) -> int:
    """Return the position after the quoted text that begins at `start`."""
    quote = line[start] * 3 if line.startswith(line[start] * 3, start) else line[start]
    at = start + len(quote)
    while at < len(line):
        if line[at] == "\\":
            at += 2
        elif line.startswith(quote, at):
            return at + len(quote)
        else:
            at += 1
    msg = f"{quote} is missing: a quote in {line.strip()!r} is not closed"
    raise UsageLineError(msg)
