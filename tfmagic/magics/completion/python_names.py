"""Python completions for expressions and for the cells of a room, from IPython's own completer."""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import replace
from functools import wraps
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from IPython.core.completer import IPCompleter, provisionalcompleter, rectify_completions

from tfmagic.magics.completion import IDENTIFIER
from tfmagic.magics.completion.candidates import Candidate, Candidates, starting
from tfmagic.magics.ipython.older import disable, disabled_matchers, enabled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tfmagic.magics.grammar.line import PartialLine

_NOT_IN_EXPRESSIONS = (
    "IPCompleter.magic_matcher",
    "IPCompleter.magic_config_matcher",
    "IPCompleter.magic_color_matcher",
    "IPCompleter.custom_completer_matcher",
)
_FILES = "IPCompleter.file_matcher"
_IN_EXPRESSIONS = {"None", "True", "False", "and", "await", "else", "for", "if", "in", "is", "lambda", "not", "or"}
_NO_VALUE = {"exit", "quit"}
_BUILT_IN = {*dir(builtins), *keyword.kwlist}
_NOT_DATA = (type, ModuleType, FunctionType, BuiltinFunctionType)
_SUBSCRIPT = re.compile(r"[\w\])]\s*\[[^\[]*$")
_TOKEN = re.compile(r"[^\W\d]\w*$")
_NOTHING = object()
_built_in_names: dict[bool, set[str]] = {}


class PythonNames:
    """The names that an expression or a cell of a room sees; those of the room shadow the notebook's."""

    def __init__(self, shell: Any, room: Mapping[str, Any] | None = None) -> None:
        self._shell = shell
        self._room = dict(room or {})
        self.all: dict[str, Any] = {**shell.user_ns, **self._room}

    def own(self) -> dict[str, Any]:
        """Return the names that the person has bound: not IPython's, and none that begins with ``_``."""
        hidden = self._shell.user_ns_hidden
        return {
            name: value
            for name, value in self.all.items()
            if not name.startswith("_") and (name in self._room or hidden.get(name, _NOTHING) is not value)
        }

    def data(self) -> list[str]:
        """Return the person's names of values: no modules, classes or functions."""
        return [name for name, value in self.own().items() if not issubclass(type(value), _NOT_DATA)]

    def expression(self, text: str, leading: str, here: PartialLine) -> Candidates:
        """Offer what could stand next in an expression that has been typed as far as `text`.

        `leading` is the code before it, which may define names that are not bound yet.
        `here` is the whole line up to the cursor, which ends as `text` does.
        """
        before_quote = text[: len(text) - len(here.quoted) - len(here.quote)]
        is_key = bool(here.quote) and _SUBSCRIPT.search(before_quote) is not None
        disabled = _NOT_IN_EXPRESSIONS if here.quote and not is_key else (*_NOT_IN_EXPRESSIONS, _FILES)
        # As the right side of an assignment, where only an expression can stand.
        candidates = self._complete(f"{leading}_ = {text}", self.all, disabled)
        if not text.endswith(candidates.fragment):
            return Candidates()
        if here.quote:
            return _only(candidates, lambda item: not (is_key and item.type == "path"))
        token = _TOKEN.search(text)
        if text[: token.start() if token else len(text)].rstrip().endswith("."):
            return candidates
        own = self.own()
        if token:
            unwanted = (_BUILT_IN | self._built_in()) - set(dir(builtins)) - _IN_EXPRESSIONS | _NO_VALUE
        else:
            unwanted = _BUILT_IN | self._built_in() | self.all.keys()
        candidates = _only(candidates, lambda item: item.text in own or item.text not in unwanted)
        return candidates if text.strip() else starting("", own, "instance") + candidates

    def cell(self, code: str) -> Candidates:
        """Offer what could stand next in a cell, as IPython does with these names."""
        # A cell magic can only stand at the top of a cell.
        return _only(self._complete(code, self.all, (), whole=True), lambda item: not item.text.startswith("%%"))

    def _built_in(self) -> set[str]:
        """Return what is offered where no names are bound: what is built in, and what Jedi adds."""
        jedi = bool(self._shell.Completer.use_jedi)
        if jedi not in _built_in_names:
            candidates = self._complete("_ = ", {}, (*_NOT_IN_EXPRESSIONS, _FILES))
            _built_in_names[jedi] = {item.text for item in candidates.items}
        return _built_in_names[jedi]

    def _complete(
        self, code: str, names: dict[str, Any], disabled: Sequence[str], *, whole: bool = False
    ) -> Candidates:
        """Complete code as IPython does with these names; a whole cell also with the person's own matchers."""
        original = self._shell.Completer
        code = code.lstrip("\n")
        completer = _QuietCompleter(shell=self._shell, namespace=names, global_namespace={})
        # The person's settings of Tab hold in tfmagic's lines too; the old "greedy" first, as it changes others.
        for name in sorted(completer.trait_names(config=True), key=lambda name: name != "greedy"):
            if original.has_trait(name):
                setattr(completer, name, getattr(original, name))
        disable(completer, [*disabled_matchers(original), *disabled])
        if whole:
            completer.custom_completers = original.custom_completers
            completer.custom_matchers = [
                matcher
                for matcher in original.custom_matchers
                if getattr(matcher, "matcher_identifier", "") != IDENTIFIER
            ]
        with provisionalcompleter():
            completions = list(rectify_completions(code, completer.completions(code, len(code))))
        types = {completion.text: completion.type or "" for completion in reversed(completions)}
        fragment = code[completions[0].start :] if completions else ""
        texts = dict.fromkeys(completion.text for completion in completions)
        return Candidates(fragment, tuple(Candidate(text, types[text]) for text in texts))


def _only(candidates: Candidates, is_wanted: Callable[[Candidate], bool]) -> Candidates:
    return replace(candidates, items=tuple(filter(is_wanted, candidates.items)))


class _QuietCompleter(IPCompleter):
    """IPython's completer, without the traceback that it prints where a matcher fails.

    In IPython 9 some fail: at an indented empty line, and below empty lines.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # IPython's has no types

    @property
    def matchers(self) -> list[Any]:
        """The matchers of IPython, each of which finds nothing where it fails."""
        return [_quiet(matcher) for matcher in enabled(self, super().matchers)]


def _quiet(matcher: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(matcher)
    def matched(text_or_context: Any) -> Any:
        try:
            return matcher(text_or_context)
        except Exception:  # noqa: BLE001 - any matcher's own failure
            return [] if getattr(matcher, "matcher_api_version", 1) == 1 else {"completions": []}

    return matched
