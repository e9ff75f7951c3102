"""A magic's line, split into words.

IPython passes a magic its line as it was typed. ``shlex`` would split ``X[:8, :]`` in
two and remove quotes. Here blanks inside brackets and quotes do not split, and each
word stays as it was typed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tfmagic.errors import UsageLineError

_OPENING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Line:
    """The words of a line, and whether it ended in ``;``, which suppresses the display."""

    words: tuple[str, ...]
    silent: bool


def split(line: str) -> Line:
    """Split a line at the blanks outside brackets and quotes, without its comment and trailing ``;``."""
    read = split_partial(line)
    if read.quote:
        msg = f"{read.quote} is missing: a quote in {line.strip()!r} is not closed"
        raise UsageLineError(msg)
    if read.closers:
        msg = f"{read.closers[-1]!r} is missing: a bracket in {line.strip()!r} is not closed"
        raise UsageLineError(msg)
    words = [*read.words, *([read.word] if read.word else [])]
    silent = bool(words) and words[-1].endswith(";")
    if silent:
        last = words.pop().rstrip(";")
        if last:
            words.append(last)
    return Line(tuple(words), silent)


@dataclass(frozen=True)
class PartialLine:
    """A line up to the cursor, which may be in the middle of anything.

    `word` is the one that is being typed after the complete `words`, and empty after a blank.
    `closers` would close the open brackets, the innermost last; `quoted` is what has been
    typed since the open `quote`.
    """

    words: tuple[str, ...] = ()
    word: str = ""
    closers: tuple[str, ...] = ()
    quote: str = ""
    quoted: str = ""
    comment: bool = False


def split_partial(line: str) -> PartialLine:
    """Split a line up to the cursor, as `split` does a whole line."""
    words: list[str] = []
    word = ""
    closers: list[str] = []
    at = 0
    while at < len(line):
        character = line[at]
        if character == "#" and not closers and not word:
            return PartialLine(tuple(words), comment=True)
        end = at + 1
        if character in "'\"":
            quote = character * 3 if line.startswith(character * 3, at) else character
            closing = _end_of_quote(line, at, quote)
            if closing is None:
                return PartialLine(tuple(words), word + line[at:], tuple(closers), quote, line[at + len(quote) :])
            end = closing
        if character.isspace() and not closers:
            words.extend([word] if word else [])
            word = ""
        else:
            if character in _OPENING:
                closers.append(_OPENING[character])
            elif closers and character == closers[-1]:
                closers.pop()
            word += line[at:end]
        at = end
    return PartialLine(tuple(words), word, tuple(closers))


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
