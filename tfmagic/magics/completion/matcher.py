"""tfmagic's matcher among those of IPython's completer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from IPython.core.completer import SimpleCompletion, context_matcher

from tfmagic.magics.completion import IDENTIFIER

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
            # Only now: loading the extension is to stay quick.
            from tfmagic.magics.completion.at_cursor import offers_at

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


class _Nothing(Sequence[SimpleCompletion]):
    """No completions, in a form that IPython takes for some: only those suppress the other matchers."""

    def __len__(self) -> int:
        """Count as one."""
        return 1

    def __getitem__(self, at: Any) -> Any:
        """Have none."""
        raise IndexError(at)
