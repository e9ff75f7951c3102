"""Values of options: what each kind of value could be."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from tfmagic.execution.signature.options import EXECUTORS
from tfmagic.magics.completion.candidates import Candidates, starting
from tfmagic.magics.completion.paths import paths
from tfmagic.model.glance import device_names, glance_at_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.source import FileRecord
    from tfmagic.magics.completion.python_names import PythonNames
    from tfmagic.magics.completion.typed_words import Typed
    from tfmagic.magics.grammar.options import Command
    from tfmagic.model.glance import Glance


@dataclass(frozen=True)
class LineContext:
    """What is typed, and what the values of the line's options refer to.

    `leading` is the code before the line; `models` and `source` are named on it. `runs` and
    `sends` say whether ``-o`` sends out outputs of a run, and names of the room.
    """

    typed: Typed
    names: PythonNames
    leading: str
    models: Sequence[Glance] = ()
    source: str | None = None
    runs: bool = False
    sends: bool = False

    def inputs(self) -> list[str]:
        """Return the inputs that all models have."""
        return common([spec.name for spec in signature.inputs] for signature in self._signatures())

    def outputs(self) -> list[str]:
        """Return the outputs that all models have."""
        return common([spec.name for spec in signature.outputs] for signature in self._signatures())

    def tensors(self) -> list[str]:
        """Return the tensors that all models have."""
        return common(model.tensors() for model in self.models)

    def file(self) -> FileRecord | None:
        """Return what is known of the source without loading it."""
        return None if self.source is None else glance_at_file(self.source)

    def listed(self) -> tuple[list[str], str]:
        """Return the parts of a list with commas, and the one at the cursor."""
        *given, fragment = self.typed.plain.split(",")
        return given, fragment

    def _signatures(self) -> list[Signature]:
        signatures = [model.signature(self.typed.values.get("--signature")) for model in self.models]
        return [signature for signature in signatures if signature is not None]


def option_value(line: LineContext) -> Candidates:
    """Offer values of the option at the cursor."""
    option = line.typed.option
    values = None if option is None else _KINDS.get(option.kind)
    return Candidates() if values is None else values(line)


def option_names(typed: Typed, command: Command) -> Candidates:
    """Offer the options that are not given yet."""
    return starting(typed.word, [option.name for option in command.options], "option", without=typed.values)


def common(lists: Iterable[Iterable[str]]) -> list[str]:
    """Return what is in all of the lists, in the first one's order."""
    first, *others = [list(words) for words in lists] or [[]]
    return [word for word in first if all(word in other for other in others)]


def _signature(line: LineContext) -> Candidates:
    file = line.file()
    declared = [] if file is None else [signature["name"] for signature in file["signatures"]]
    return starting(line.typed.plain, [*common(model.signatures for model in line.models), *declared], "signature")


def _tags(line: LineContext) -> Candidates:
    given, fragment = line.listed()
    file = line.file()
    declared = [] if file is None else [tag for tags in file["tags"] for tag in tags]
    chosen = [tag for model in line.models for tag in model.model.options.tags or ()]
    return starting(fragment, [*chosen, *declared], "tag", without=given)


def _device(line: LineContext) -> Candidates:
    known = device_names()
    if line.typed.plain.startswith("/"):
        known = [f"/device:{name.upper() if ':' in name else f'{name.upper()}:0'}" for name in known]
    return starting(line.typed.plain, known, "device")


def _tensors(line: LineContext) -> Candidates:
    given, fragment = line.listed()
    return starting(fragment, line.outputs(), "output", without=given) + starting(
        fragment, line.tensors(), "tensor", without=given
    )


def _ends(line: LineContext) -> Candidates:
    given, fragment = line.listed()
    fragment = fragment.rpartition("=")[2]
    inputs = line.typed.option is not None and line.typed.option.key == "inputs"
    used = [part.rpartition("=")[2] for part in given]
    ends = line.inputs() if inputs else line.outputs()
    return starting(fragment, ends, "input" if inputs else "output", without=used) + starting(
        fragment, line.tensors(), "tensor", without=used
    )


def _out(line: LineContext) -> Candidates:
    given, fragment = line.listed()
    room: list[str] = []
    if line.sends:
        # Not its modules: one is imported in place of being sent out.
        room = common(
            [name for name, value in model.names.items() if not issubclass(type(value), ModuleType)]
            for model in line.models
        )
    _, equals, theirs = fragment.partition("=")
    if not equals:
        mine = [part.partition("=")[0] for part in given]
        return starting(fragment, room, "room", without=mine) + starting(
            fragment, line.names.data(), "instance", without=mine
        )
    outputs: list[str] = []
    if line.runs:
        fetched = [name.strip() for name in line.typed.values.get("--fetch", "").split(",") if name.strip()]
        outputs = fetched or line.outputs()
    return starting(theirs, outputs, "output") + starting(theirs, room, "room")


_KINDS: dict[str, Callable[[LineContext], Candidates]] = {
    "device": _device,
    "ends": _ends,
    "executor": lambda line: starting(line.typed.plain, EXECUTORS, "executor"),
    "expression": lambda line: line.names.expression(line.typed.word, line.leading, line.typed.partial),
    "out": _out,
    "path": lambda line: paths(line.typed.plain, quoted=bool(line.typed.partial.quote)),
    "signature": _signature,
    "tags": _tags,
    "tensors": _tensors,
}
