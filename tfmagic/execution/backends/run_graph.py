"""The graph that a run would execute, and which of its states the run would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfmagic.runtime.graph.fed_values import loops_on_values
from tfmagic.runtime.graph.side_effects import may_write, stateful_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class RunGraph:
    """A graph with the names of the tensors that one run feeds and fetches; without `outputs` all of it runs.

    `call` runs a live object's traced function; it is None where the model itself runs the graph.
    """

    graph: Any
    feeds: Sequence[str]
    outputs: Sequence[str] | None = None
    call: Callable[[], Any] | None = None

    def writes(self) -> bool:
        """Return whether the run would change a variable."""
        return may_write(self.graph, self._names())

    def advances(self, *, new_function: bool = False) -> str | None:
        """Return the operation whose state the run would advance, such as a random generator's.

        A `new_function` was traced for this run alone, and shares its generators with no other.
        """
        return stateful_operation(self.graph, self._names(), is_new_trace=new_function)

    def loops_on_values(self) -> bool:
        """Return whether the run has a loop whose length depends on the values that are fed."""
        return loops_on_values(self.graph, list(self.feeds), self.outputs)

    def _names(self) -> list[str]:
        return [op.name for op in self.graph.get_operations()] if self.outputs is None else list(self.outputs)
