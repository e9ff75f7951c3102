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


@dataclass(frozen=True)
class Begun:
    """A line as far as it has been typed, which may be in the middle of anything.

    Attributes
    ----------
    words
        Those that are complete, in order.
    word
        The one that is being typed; empty after a blank.
    closers
        What would close the brackets that are open, the innermost last.
    quote
        The quote that is open; empty where none is.
    quoted
        What has been typed since that quote.
    comment
        Whether the line ends in a comment.
    """

    words: tuple[str, ...] = ()
    word: str = ""
    closers: tuple[str, ...] = ()
    quote: str = ""
    quoted: str = ""
    comment: bool = False


def begun(line: str) -> Begun:
    """Split the beginning of a line, up to the cursor, as `split` does a whole one."""
    words: list[str] = []
    word = ""
    closers: list[str] = []
    at = 0
    while at < len(line):
        character = line[at]
        if character == "#" and not closers and not word:
            return Begun(tuple(words), comment=True)
        end = at + 1
        if character in "'\"":
            quote = character * 3 if line.startswith(character * 3, at) else character
            found = _end_of_quote(line, at, quote)
            if found is None:
                return Begun(tuple(words), word + line[at:], tuple(closers), quote, line[at + len(quote) :])
            end = found
        if character.isspace() and not closers:
            words.extend([word] if word else [])
            word = ""
        else:
            _follow_brackets(character, closers)
            word += line[at:end]
        at = end
    return Begun(tuple(words), word, tuple(closers))


def _words(line: str) -> list[str]:
    read = begun(line)
    if read.quote:
        msg = f"{read.quote} is missing: a quote in {line.strip()!r} is not closed"
        raise UsageLineError(msg)
    if read.closers:
        msg = f"{read.closers[-1]!r} is missing: a bracket in {line.strip()!r} is not closed"
        raise UsageLineError(msg)
    return [*read.words, *([read.word] if read.word else [])]


def _follow_brackets(character: str, closers: list[str]) -> None:
    if character in _OPENING:
        closers.append(_OPENING[character])
    elif closers and character == closers[-1]:
        closers.pop()


def _end_of_quote(line: str, start: int, quote: str) -> int | None:
    """Return the position after the quoted text that begins at `start`, None where it does not end."""
    at = start + len(quote)
    while at < len(line):
        if line[at] == "\\":
            at += 2
        elif line.startswith(quote, at):
            return at + len(quote)
        else:
            at += 1
    return None
