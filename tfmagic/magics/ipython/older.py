"""What an older IPython lacks, down to Colab's 7.34. Where it is there, IPython's own is used."""

from __future__ import annotations

import io
import tokenize
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from IPython.core import completer, magic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tfmagic.magics.completion.candidates import Candidates

F = TypeVar("F", bound="Callable[..., Any]")

HAS_MATCHERS = hasattr(completer, "context_matcher")
"""Whether matchers are told the whole cell, and may suppress others; IPython 8.6 brought it."""

# What the matchers are called that a newer completer turns off by their new names.
_OLD_NAMES = {
    "IPCompleter.magic_matcher": "magic_matches",
    "IPCompleter.magic_config_matcher": "magic_config_matches",
    "IPCompleter.magic_color_matcher": "magic_color_matches",
    "IPCompleter.file_matcher": "file_matches",
}
_NOT_CODE = {tokenize.ENDMARKER, tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT}


def _silenced_by_a_semicolon(function: F) -> F:
    """Have a magic return nothing where its last argument ends with a semicolon, as IPython 8.9 and newer do."""

    @wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        code = next((text for text in reversed(args) if isinstance(text, str)), "")
        return None if ends_with_semicolon(code) else result

    return cast("F", called)


def ends_with_semicolon(code: str) -> bool:
    """Return whether the last token of some code is a semicolon; comments do not count."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return False
    last = next((token for token in reversed(tokens) if token.type not in _NOT_CODE), None)
    return last is not None and last.string == ";"


output_can_be_silenced: Callable[[F], F] = getattr(magic, "output_can_be_silenced", _silenced_by_a_semicolon)
"""Mark a magic whose result a semicolon at the end hides."""


def with_attributes(info: Any) -> Any:
    """Return what ``name?`` has found, with attributes; before IPython 8.12 it is a dictionary."""
    if not isinstance(info, dict):
        return info
    from IPython.utils.ipstruct import Struct

    return Struct(info)  # type: ignore[no-untyped-call]  # IPython's has no types


def disabled_matchers(original: Any) -> list[str]:
    """Return the identifiers of the matchers that a person has turned off."""
    return list(getattr(original, "disable_matchers", ()))


def disable(one: Any, identifiers: Sequence[str]) -> None:
    """Turn matchers of a completer off by their identifiers."""
    if hasattr(one, "disable_matchers"):
        one.disable_matchers = identifiers
    else:
        one.without = {_OLD_NAMES.get(identifier, identifier) for identifier in identifiers}


def enabled(one: Any, matchers: list[Any]) -> list[Any]:
    """Return the matchers without those that `disable` has turned off and IPython itself would still ask."""
    without = getattr(one, "without", ())
    return [matcher for matcher in matchers if getattr(matcher, "__name__", "") not in without]


def complete_by(shell: Any, candidates_at: Callable[[str, int, int], Candidates | None]) -> None:
    """Have the completer of `shell` ask `candidates_at` first, with the whole cell, the row and the column."""
    original = type(shell.Completer).completions

    def completions(text: str, offset: int) -> Iterator[Any]:
        before = text[:offset]
        found = candidates_at(text, before.count("\n"), len(before) - before.rfind("\n") - 1)
        if found is None:
            yield from original(shell.Completer, text, offset)
            return
        if before.endswith(found.fragment):
            for item in found.items[: completer.MATCHES_LIMIT]:
                yield completer.Completion(offset - len(found.fragment), offset, item.text, type=item.type)

    shell.Completer.completions = completions


def complete_as_before(shell: Any) -> None:
    """Undo `complete_by`."""
    vars(shell.Completer).pop("completions", None)
