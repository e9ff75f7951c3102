"""tfmagic's matcher among those of IPython's completer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from tfmagic.magics.completion import IDENTIFIER
from tfmagic.magics.ipython.older import HAS_MATCHERS, complete_as_before, complete_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from tfmagic.magics.completion.candidates import Candidates

# Above every other matcher: in tfmagic's lines IPython asks none of them.
_PRIORITY = 1000


def add_matcher(shell: Any) -> None:
    """Register the matcher with `shell`, in place of one from an earlier load."""
    remove_matcher(shell)
    if HAS_MATCHERS:
        shell.Completer.custom_matchers.append(matcher_of(shell))
    else:
        complete_by(shell, lambda text, row, column: _candidates(shell, text, row, column))


def remove_matcher(shell: Any) -> None:
    """Remove tfmagic's matcher from `shell`."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [matcher for matcher in matchers if getattr(matcher, "matcher_identifier", "") != IDENTIFIER]
    if not HAS_MATCHERS:
        complete_as_before(shell)


def _candidates(shell: Any, text: str, row: int, column: int) -> Candidates | None:
    """Return what Tab offers; None where it is none of tfmagic's business, or fails."""
    try:
        # At the first Tab: loading the extension stays quick.
        from tfmagic.magics.completion.at_cursor import candidates_at

        return candidates_at(shell, text, row, column)
    except Exception:  # noqa: BLE001 - Tab finds something, or nothing: it never shows an error
        return None


def matcher_of(shell: Any) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Return the matcher for a shell."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier=IDENTIFIER, priority=_PRIORITY)
    def tfmagic_matcher(context: CompletionContext) -> SimpleMatcherResult:
        candidates = _candidates(shell, context.full_text, context.cursor_line, context.cursor_position)
        if candidates is None:
            return {"completions": [], "suppress": False}
        if not candidates.items or not context.text_until_cursor.endswith(candidates.fragment):
            return {"completions": _NoCompletions(), "matched_fragment": "", "suppress": True}
        return {
            "completions": [SimpleCompletion(item.text, type=item.type) for item in candidates.items[: context.limit]],
            "matched_fragment": candidates.fragment,
            "suppress": True,
            "ordered": True,
        }

    return cast("Callable[[CompletionContext], SimpleMatcherResult]", tfmagic_matcher)


class _NoCompletions(Sequence[Any]):
    """An empty sequence that counts as one item: IPython lets only a matcher with completions suppress others."""

    def __len__(self) -> int:
        """Pretend to have an item."""
        return 1

    def __getitem__(self, at: Any) -> Any:
        """Have no item."""
        raise IndexError(at)
