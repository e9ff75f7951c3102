"""tfmagic's matcher among those of IPython's completer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from IPython.core.completer import SimpleCompletion, context_matcher

from tfmagic.magics.completion import IDENTIFIER

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.completer import CompletionContext, SimpleMatcherResult

# Above every other matcher: in tfmagic's lines IPython asks none of them.
_PRIORITY = 1000


def add_matcher(shell: Any) -> None:
    """Register the matcher with `shell`, in place of one from an earlier load."""
    remove_matcher(shell)
    shell.Completer.custom_matchers.append(matcher_of(shell))


def remove_matcher(shell: Any) -> None:
    """Remove tfmagic's matcher from `shell`."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [matcher for matcher in matchers if getattr(matcher, "matcher_identifier", "") != IDENTIFIER]


def matcher_of(shell: Any) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Return the matcher for a shell."""

    @context_matcher(identifier=IDENTIFIER, priority=_PRIORITY)
    def tfmagic_matcher(context: CompletionContext) -> SimpleMatcherResult:
        try:
            # At the first Tab: loading the extension stays quick.
            from tfmagic.magics.completion.at_cursor import candidates_at

            candidates = candidates_at(shell, context.full_text, context.cursor_line, context.cursor_position)
        except Exception:  # noqa: BLE001 - Tab finds something, or nothing: it never shows an error
            candidates = None
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


class _NoCompletions(Sequence[SimpleCompletion]):
    """An empty sequence that counts as one item: IPython lets only a matcher with completions suppress others."""

    def __len__(self) -> int:
        """Pretend to have an item."""
        return 1

    def __getitem__(self, at: Any) -> Any:
        """Have no item."""
        raise IndexError(at)
