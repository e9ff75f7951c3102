"""A cell that builds the graph: ``%%tf_model NAME``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SourceError
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.signature.inference import infer
from tfmagic.formats.common.loading import fill_and_initialise
from tfmagic.formats.common.source import Built, Source
from tfmagic.formats.kinds import source_of_object
from tfmagic.formats.live.base import SharedSource
from tfmagic.runtime.session.kernel_session import KernelSession

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tfmagic.execution.room.cell import Cell
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature


class CellSource(Source):
    """The code of a cell, run in a separate graph; it sees the notebook's names behind its own."""

    kind = "cell"
    loses_training = True

    def __init__(self, cell: Cell, notebook: Mapping[str, Any]) -> None:
        super().__init__("a cell")
        # Any cell under the name is the same source: people edit a cell and run it again.
        self.cell = cell
        self._notebook = notebook
        self._runs = 0

    def fingerprint(self) -> object:
        """Return a new value each time: a cell that is run again builds again."""
        self._runs += 1
        return (id(self), self._runs)

    def build(self, model: str, options: Options) -> Built:
        """Run the cell in an empty graph, initialise its variables, and infer its inputs and outputs."""
        graph = tf.Graph()
        room = Room(model, graph, options.device)
        session = KernelSession()
        fill = fill_and_initialise(room)
        session.host(graph, model, fill=fill, prepare=room.initialiser)
        try:
            value = room.run(self.cell, self._notebook, {})
            try:
                signature = self._signature(model, room, options)
            except SourceError as error:
                if isinstance(_source_of(value), SharedSource):
                    msg = (
                        f"{model}: the cell's last line is a live {type(value).__name__}, and a graph was expected: "
                        f"%%tf_model {model} --eager takes it as it is"
                    )
                    raise SourceError(msg) from error
                raise
        except BaseException:
            session.evict(graph)
            raise
        backend = GraphBackend(room, {signature.name: signature}, fill)
        waiting = room.initialiser.failed if room.initialiser is not None else {}
        notes = [f"variable {name!r} is not initialised yet ({why})" for name, why in waiting.items()]
        return Built(backend, notes)

    def _signature(self, model: str, room: Room, options: Options) -> Signature:
        if not room.graph.get_operations():
            hint = "build it there with tf.compat.v1, or add --eager for a Keras model"
            if "Graph" in self.cell.code.co_names:
                hint = "take out with tf.Graph().as_default(): the room has a graph already"
            msg = f"{model}: this cell added nothing to the room's graph, which is the default graph here ({hint})"
            raise SourceError(msg)
        return infer(model, room.graph, room.names, options.inputs, options.outputs)


def _source_of(value: Any) -> Source | None:
    """Return the source for the value of a cell's last line, None where that is no model."""
    try:
        return source_of_object(value, "a cell")
    except SourceError:
        return None


class EagerCellSource(CellSource):
    """The code of a cell that runs eagerly; its last expression is the model."""

    mode = "eager"

    def __init__(self, cell: Cell, notebook: Mapping[str, Any]) -> None:
        super().__init__(cell, notebook)
        self._source: Source | None = None

    def build(self, model: str, options: Options) -> Built:
        """Run the cell, and take the value of its last expression as a live object."""
        room = Room(model, device=options.device)
        value = room.run(self.cell, self._notebook, {})
        if not self.cell.has_value or value is None:
            msg = f"{model}: the last line of an --eager cell is the model (as in: net), and here it has no value"
            raise SourceError(msg)
        source = _source_of(value)
        if not isinstance(source, SharedSource):
            kind = f"an object of {type(value).__name__}" if source is None else f"a {source.kind}"
            hint = "leave out --eager to build a graph" if source is not None else "let it be the model's name"
            msg = (
                f"{model}: the last line of an --eager cell is the model, a Keras model, tf.Module or tf.function, "
                f"and here it is {kind}: {hint}"
            )
            raise SourceError(msg)
        self._source = source
        return source.build(model, options, room)

    def release(self) -> None:
        """Release the object."""
        if self._source is not None:
            self._source.release()
