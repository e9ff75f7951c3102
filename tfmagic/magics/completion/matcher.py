"""tfmagic's matcher among those of IPython's completer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from IPython.core.completer import SimpleCompletion, context_matcher

from tfmagic.magics.completion import IDENTIFIER
from tfmagic.magics.completion.cursor import MagicLine, place_of
from tfmagic.magics.completion.model_line import model_line
from tfmagic.magics.completion.offer import Offers
from tfmagic.magics.completion.python_names import PythonNames
from tfmagic.magics.completion.run_line import run_line
from tfmagic.magics.line import begun
from tfmagic.model.glance import glance

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.completer import CompletionContext, SimpleMatcherResult

# Before every other matcher: in tfmagic's lines none of them is asked.
_PRIORITY = 1000


def add_matcher(shell: Any) -> None:
    """Let Tab in `shell` know tfmagic's lines; what a former load left is taken out first."""
    remove_matcher(shell)
    shell.Completer.custom_matchers.append(matcher_of(shell))


def remove_matcher(shell: Any) -> None:
    """Take tfmagic's matcher out of `shell`."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [one for one in matchers if getattr(one, "matcher_identifier", "") != IDENTIFIER]


def matcher_of(shell: Any) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Return the matcher for a shell."""

    @context_matcher(identifier=IDENTIFIER, priority=_PRIORITY)
    def tfmagic_matcher(context: CompletionContext) -> SimpleMatcherResult:
        try:
            offers = offers_at(shell, context.full_text, context.cursor_line, context.cursor_position)
        except Exception:  # noqa: BLE001 - Tab finds something, or nothing: it never shows an error
            offers = None
        if offers is None:
            return {"completions": [], "suppress": False}
        if not offers.found or not context.text_until_cursor.endswith(offers.fragment):
            return {"completions": _Nothing(), "matched_fragment": "", "suppress": True}
        return {
            "completions": [SimpleCompletion(one.text, type=one.type) for one in offers.found[: context.limit]],
            "matched_fragment": offers.fragment,
            "suppress": True,
            "ordered": True,
        }

    return cast("Callable[[CompletionContext], SimpleMatcherResult]", tfmagic_matcher)


def offers_at(shell: Any, text: str, row: int, column: int) -> Offers | None:
    """Return what is offered at the cursor, None where it is none of tfmagic's business.

    Parameters
    ----------
    shell
        The shell whose notebook it is.
    text
        The whole cell.
    row, column
        The cursor's line, and its place there, from 0.
    """
    place = place_of(text, row, column, lambda name: _is_automagic(shell, name))
    if place is None:
        return None
    if not isinstance(place, MagicLine):
        room = glance(place.model)
        if room is None:
            return None
        return PythonNames(shell, {**room.bound, **room.names}).cell(place.code)
    if _has_ended(place.before):
        return Offers()
    room = None if place.room is None else glance(place.room)
    names = PythonNames(shell, {} if room is None else {**room.bound, **room.names})
    return model_line(place, names) if place.magic == "tf_model" else run_line(place, names)


def _has_ended(before: str) -> bool:
    """Return whether the cursor is in a comment, or behind the ``;`` that ends a line."""
    here = begun(before)
    return here.comment or (before.rstrip().endswith(";") and not here.quote and not here.closers)


def _is_automagic(shell: Any, name: str) -> bool:
    return bool(shell.automagic) and name not in shell.user_ns and shell.find_line_magic(name) is not None


class _Nothing(Sequence[SimpleCompletion]):
    """No completions, in a form that IPython takes for some: only those suppress the other matchers."""

    def __len__(self) -> int:
        """Count as one."""
        return 1

    def __getitem__(self, at: Any) -> Any:
        """Have none."""
        raise IndexError(at)
