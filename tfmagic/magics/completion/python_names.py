"""Python names for expressions and for the cells of a room, found as IPython finds them."""

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
from tfmagic.magics.completion.offer import Offer, Offers, starting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tfmagic.magics.grammar.line import Begun

# What the person has set for Tab holds in tfmagic's lines, too.
_SETTINGS = (
    "greedy",
    "evaluation",
    "use_jedi",
    "jedi_compute_type_timeout",
    "auto_close_dict_keys",
    "policy_overrides",
    "auto_import_method",
    "backslash_combining_completions",
    "omit__names",
    "limit_to__all__",
    "suppress_competing_matchers",
    "dict_keys_only",
)
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
_noise: dict[bool, set[str]] = {}


class PythonNames:
    """The names that an expression sees, or a cell of a room.

    Parameters
    ----------
    shell
        The shell whose notebook it is.
    room
        What a room has; it shadows the notebook's names.
    """

    def __init__(self, shell: Any, room: Mapping[str, Any] | None = None) -> None:
        self._shell = shell
        self._room = dict(room or {})
        self.all: dict[str, Any] = {**shell.user_ns, **self._room}

    def own(self) -> dict[str, Any]:
        """Return what the person has bound: not IPython's own names, and none that begins with ``_``."""
        hidden = self._shell.user_ns_hidden
        return {
            name: value
            for name, value in self.all.items()
            if not name.startswith("_") and (name in self._room or hidden.get(name, _NOTHING) is not value)
        }

    def data(self) -> list[str]:
        """Return the person's names that hold a value, rather than a module, a class or a function."""
        return [name for name, value in self.own().items() if not issubclass(type(value), _NOT_DATA)]

    def expression(self, text: str, leading: str, here: Begun) -> Offers:
        """Offer what could stand next in an expression.

        Parameters
        ----------
        text
            The expression, as far as it has been typed.
        leading
            The code before it, which may define names that are not bound yet.
        here
            The line up to the cursor, which ends as `text` does.
        """
        key = bool(here.quote) and _SUBSCRIPT.search(text[: len(text) - len(here.quoted) - len(here.quote)]) is not None
        without = _NOT_IN_EXPRESSIONS if here.quote and not key else (*_NOT_IN_EXPRESSIONS, _FILES)
        # As the right side of an assignment: there Python takes an expression alone.
        found = self._found(f"{leading}_ = {text}", self.all, without)
        if not text.endswith(found.fragment):
            return Offers()
        if here.quote:
            return replace(found, found=tuple(one for one in found.found if not (key and one.type == "path")))
        token = _TOKEN.search(text)
        if text[: token.start() if token else len(text)].rstrip().endswith("."):
            return found
        own = self.own()
        if token:
            unwanted = (_BUILT_IN | self._built_in()) - set(dir(builtins)) - _IN_EXPRESSIONS | _NO_VALUE
        else:
            unwanted = _BUILT_IN | self._built_in() | self.all.keys()
        kept = tuple(one for one in found.found if one.text in own or one.text not in unwanted)
        return (
            replace(found, found=kept) if text.strip() else starting("", own, "instance") + replace(found, found=kept)
        )

    def cell(self, code: str) -> Offers:
        """Offer what could stand next in a cell, as IPython would with these names."""
        found = self._found(code, self.all, (), whole=True)
        # A cell magic stands at the top of a cell and nowhere else.
        return replace(found, found=tuple(one for one in found.found if not one.text.startswith("%%")))

    def _built_in(self) -> set[str]:
        """Return what is offered where there are no names at all: what is built in, and what Jedi takes for it."""
        jedi = bool(self._shell.Completer.use_jedi)
        if jedi not in _noise:
            _noise[jedi] = {one.text for one in self._found("_ = ", {}, (*_NOT_IN_EXPRESSIONS, _FILES)).found}
        return _noise[jedi]

    def _found(self, code: str, names: dict[str, Any], without: Sequence[str], *, whole: bool = False) -> Offers:
        theirs = self._shell.Completer
        code = code.lstrip("\n")
        completer = _QuietCompleter(shell=self._shell, namespace=names, global_namespace={})
        for name in _SETTINGS:
            if completer.has_trait(name) and theirs.has_trait(name):
                setattr(completer, name, getattr(theirs, name))
        completer.disable_matchers = [*theirs.disable_matchers, *without]
        if whole:
            completer.custom_completers = theirs.custom_completers
            others = [one for one in theirs.custom_matchers if getattr(one, "matcher_identifier", "") != IDENTIFIER]
            completer.custom_matchers = others
        with provisionalcompleter():
            found = list(rectify_completions(code, completer.completions(code, len(code))))
        offers = {one.text: Offer(one.text, one.type or "") for one in reversed(found)}
        fragment = code[found[0].start :] if found else ""
        return Offers(fragment, tuple(offers[text] for text in dict.fromkeys(one.text for one in found)))


class _QuietCompleter(IPCompleter):
    """IPython's completer, which prints a traceback where one of its matchers fails, without that.

    In IPython 9 some do: at an indented empty line, and below empty lines.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # IPython's has no types

    @property
    def matchers(self) -> list[Any]:
        """The matchers of IPython, each of which finds nothing where it fails."""
        return [_quiet(one) for one in super().matchers]


def _quiet(matcher: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(matcher)
    def found(text_or_context: Any) -> Any:
        try:
            return matcher(text_or_context)
        except Exception:  # noqa: BLE001 - any matcher's own failure
            return [] if getattr(matcher, "matcher_api_version", 1) == 1 else {"completions": []}

    return found
