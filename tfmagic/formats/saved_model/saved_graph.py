"""The graph of a SavedModel in memory: the part that its signatures need, and what restores its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.concurrency.long_waits import said_if_long
from tfmagic.errors import SourceError
from tfmagic.execution.backends.backend import TableFill
from tfmagic.formats.common.declared import check_declared
from tfmagic.formats.common.devices import place_here
from tfmagic.formats.common.loading import check_constants, detached_functions, graph_of, new_graph, reading
from tfmagic.formats.saved_model.meta_graph import assets_of, graph_file, initialisers_of
from tfmagic.formats.saved_model.restore_plan import (
    DONE,
    PREFIX,
    add_restore,
    most_readers,
    plan_of_captures,
    restore_plan,
)
from tfmagic.graphdef.call_depth import check_calls
from tfmagic.graphdef.guard import Guard
from tfmagic.graphdef.op_types import VARIABLES
from tfmagic.graphdef.prune import pruned, reached, variable_nodes
from tfmagic.runtime.tensorflow.private import run_once, variable_from

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tfmagic.execution.signature.signature import Signature

v1 = tf.compat.v1

LOADED_WHOLE_NOTE = "loaded whole, as it is unknown how it restores its variables"


class SavedGraph:
    """A SavedModel's imported graph with its functions, its assets by tensor, and what restores its values."""

    def __init__(self, model: str, folder: Path, meta: Any, tensors: Sequence[str], device: str | None) -> None:
        self._model = model
        self._folder = folder
        self._prefix = folder / "variables" / "variables"
        self.notes: list[str] = []
        self._at_once = False
        self._unused = 0
        with reading(model, graph_file(folder), "the graph"):
            self.assets = assets_of(meta, folder / "assets")
            check_constants(meta.graph_def)
            plan = restore_plan(meta)
            self._initialisers = initialisers_of(meta, tensors, self.assets, plan or ())
            if plan is None:
                self.notes.append(LOADED_WHOLE_NOTE)
                self._import_whole(meta, device)
            else:
                part, collections = pruned(meta, [*tensors, *self._initialisers, *self.assets])
                present = variable_nodes(part)
                if self._has_values():
                    plan = {**plan, **plan_of_captures(meta, self._prefix, set(present) - plan.keys())}
                used = {plan[name].key for name in present if name in plan}
                self._unused = len({entry.key for entry in plan.values()} - used)
                add_restore(part, plan, present, readers=most_readers())
                # Initialisers that read no restored variable run together with the restore.
                self._at_once = not plan.keys() & reached(part, self._initialisers)
                self._restore, self._filename = DONE, f"{PREFIX}:0"
                self._import_part(part, collections, meta.meta_info_def.stripped_op_list, device)
        self._check_variables_are_there()

    def _import_part(self, part: Any, collections: dict[str, list[Any]], op_list: Any, device: str | None) -> None:
        self._check(part)
        self.notes += place_here(part, device)
        self.library: Sequence[Any] = detached_functions(part.library.function)
        self.graph = graph_of(part, device, op_list if len(op_list.op) else None)
        variables: dict[str, Any] = {}
        with self.graph.as_default():
            for collection, definitions in collections.items():
                for definition in definitions:
                    name = definition.variable_name
                    if name not in variables:
                        variables[name] = variable_from(definition)
                    self.graph.add_to_collection(collection, variables[name])

    def _import_whole(self, meta: Any, device: str | None) -> None:
        self._check(meta.graph_def)
        self.notes += place_here(meta.graph_def, device)
        self.library = detached_functions(meta.graph_def.library.function)
        self._restore, self._filename = meta.saver_def.restore_op_name, meta.saver_def.filename_tensor_name
        self.graph = new_graph(device, lambda: v1.train.import_meta_graph(meta, clear_devices=device is not None))

    def _check(self, definition: Any) -> None:
        file = graph_file(self._folder)
        check_calls(self._model, file, definition.node, definition.library)
        check_declared(self._model, file, definition, lambda: file.stat().st_size)

    def _has_values(self) -> bool:
        return any(self._prefix.parent.glob("variables*"))

    def _check_variables_are_there(self) -> None:
        if self._has_values():
            return
        # Every export has a restore operation, also one without variables.
        self._restore = ""
        handles = [op for op in self.graph.get_operations() if op.type in VARIABLES]
        if handles:
            msg = f"{self._model}: {self._folder} has {len(handles)} variables and no file variables/variables.index"
            raise SourceError(msg)

    @property
    def table_fill(self) -> TableFill:
        """How its tables are filled."""
        return TableFill(tuple(self._initialisers), self.assets, self._unused)

    def check(self, guard: Guard, signature: Signature) -> None:
        """Have guards inspect what loading and calls of this signature run."""
        with reading(self._model, graph_file(self._folder), "the graph"):
            guard.check([str(spec.tensor) for spec in signature.outputs], given=signature.given)
            Guard(self._model, self.graph, self.library, self.assets, fed=True).check(self._initialisers)
            if self._restore not in {"", DONE}:
                loader = Guard(self._model, self.graph, self.library, [self._filename], fed=True, restores=True)
                loader.check([self._restore])

    def fill(self, native: Any) -> None:
        """Restore the variables and initialise the tables in a native session."""
        restore = [self._restore] if self._restore else []
        feeds = {self._filename: str(self._prefix)} if self._restore else {}
        initialise = list(self._initialisers)
        if self._at_once:
            restore, initialise = [*restore, *initialise], []
            feeds |= self.assets
        if restore:
            with reading(self._model, self._prefix.parent, "the variables"), self._said_if_long(restore):
                run_once(native, restore, feeds)
        if initialise:
            with reading(self._model, self._folder, "the assets and tables"), self._said_if_long(initialise):
                run_once(native, initialise, self.assets)

    def _said_if_long(self, operations: Sequence[str]) -> AbstractContextManager[None]:
        return said_if_long(self._model, f"what it runs when it is loaded ({operations[-1]})")
