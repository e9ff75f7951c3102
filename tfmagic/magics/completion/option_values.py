"""Values of options: what each kind of value could be."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tfmagic.execution.signature.options import EXECUTORS
from tfmagic.magics.completion.candidates import Candidates, starting
from tfmagic.magics.completion.paths import paths
from tfmagic.model.glance import device_names, glance_at_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tfmagic.execution.signature.signature import Signature
    from tfmagic.magics.completion.python_names import PythonNames
    from tfmagic.magics.completion.typed_words import Typed
    from tfmagic.model.glance import Glance


@dataclass(frozen=True)
class LineContext:
    """What the values of a line's options refer to.

    Attributes
    ----------
    leading
        The code before the line.
    models, source
        The models and the path that the line names.
    runs, sends
        Whether ``-o`` sends out outputs of a run, names of the room.
    """

    names: PythonNames
    leading: str
    models: Sequence[Glance] = ()
    source: str | None = None
    runs: bool = False
    sends: bool = False

    def signatures(self, name: str | None) -> list[Signature]:
        """Return the signature that each model would use."""
        signatures = [model.signature(name) for model in self.models]
        return [signature for signature in signatures if signature is not None]


def option_value(typed: Typed, around: LineContext) -> Candidates:
    """Offer values of the option at the cursor."""
    option = typed.option
    values = None if option is None else _KINDS.get(option.kind)
    return Candidates() if values is None else values(typed, around)


def option_names(typed: Typed, known: Iterable[str]) -> Candidates:
    """Offer the options that are not given yet."""
    return starting(typed.word, known, "option", without=typed.values)


def common(lists: Iterable[Iterable[str]]) -> list[str]:
    """Return what is in all of the lists, in the first one's order."""
    first, *others = [list(words) for words in lists] or [[]]
    return [word for word in first if all(word in other for other in others)]


def _signature(typed: Typed, around: LineContext) -> Candidates:
    known = common(model.signatures for model in around.models)
    file = glance_at_file(around.source) if around.source is not None else None
    declared = [] if file is None else [signature["name"] for signature in file["signatures"]]
    return starting(typed.plain, [*known, *declared], "signature")


def _tags(typed: Typed, around: LineContext) -> Candidates:
    given, fragment = _listed(typed)
    file = glance_at_file(around.source) if around.source is not None else None
    declared = [] if file is None else [tag for tags in file["tags"] for tag in tags]
    chosen = [tag for model in around.models for tag in model.model.options.tags or ()]
    return starting(fragment, [*chosen, *declared], "tag", without=given)


def _device(typed: Typed, around: LineContext) -> Candidates:
    del around
    known = device_names()
    if typed.plain.startswith("/"):
        known = [f"/device:{name.upper() if ':' in name else f'{name.upper()}:0'}" for name in known]
    return starting(typed.plain, known, "device")


def _executor(typed: Typed, around: LineContext) -> Candidates:
    del around
    return starting(typed.plain, EXECUTORS, "executor")


def _tensors(typed: Typed, around: LineContext) -> Candidates:
    given, fragment = _listed(typed)
    outputs = common(
        [end.name for end in signature.outputs] for signature in around.signatures(typed.values.get("--signature"))
    )
    tensors = common(model.tensors() for model in around.models)
    return starting(fragment, outputs, "output", without=given) + starting(fragment, tensors, "tensor", without=given)


def _ends(typed: Typed, around: LineContext) -> Candidates:
    given, fragment = _listed(typed)
    fragment = fragment.rpartition("=")[2]
    signatures = around.signatures(typed.values.get("--signature"))
    inputs = typed.option is not None and typed.option.key == "inputs"
    ends = common([end.name for end in (signature.inputs if inputs else signature.outputs)] for signature in signatures)
    tensors = common(model.tensors() for model in around.models)
    taken = [part.rpartition("=")[2] for part in given]
    return starting(fragment, ends, "input" if inputs else "output", without=taken) + starting(
        fragment, tensors, "tensor", without=taken
    )


def _out(typed: Typed, around: LineContext) -> Candidates:
    given, fragment = _listed(typed)
    room = common(_objects(model.names) for model in around.models) if around.sends else []
    _, equals, theirs = fragment.partition("=")
    if not equals:
        mine = [part.partition("=")[0] for part in given]
        return starting(fragment, room, "room", without=mine) + starting(
            fragment, around.names.data(), "instance", without=mine
        )
    outputs: list[str] = []
    if around.runs:
        fetched = [name.strip() for name in typed.values.get("--fetch", "").split(",") if name.strip()]
        signatures = around.signatures(typed.values.get("--signature"))
        outputs = fetched or common([end.name for end in signature.outputs] for signature in signatures)
    return starting(theirs, outputs, "output") + starting(theirs, room, "room")


def _objects(names: Mapping[str, Any]) -> list[str]:
    """Return the names that are worth sending out: a module is imported in its place."""
    return [name for name, value in names.items() if not issubclass(type(value), ModuleType)]


def _expression(typed: Typed, around: LineContext) -> Candidates:
    return around.names.expression(typed.word, around.leading, typed.partial)


def _path(typed: Typed, around: LineContext) -> Candidates:
    del around
    return paths(typed.plain, quoted=bool(typed.partial.quote))


def _listed(typed: Typed) -> tuple[list[str], str]:
    """Return the parts of a list with commas, and the one at the cursor."""
    *given, fragment = typed.plain.split(",")
    return given, fragment


_KINDS: dict[str, Callable[[Typed, LineContext], Candidates]] = {
    "device": _device,
    "ends": _ends,
    "executor": _executor,
    "expression": _expression,
    "out": _out,
    "path": _path,
    "signature": _signature,
    "tags": _tags,
    "tensors": _tensors,
}
