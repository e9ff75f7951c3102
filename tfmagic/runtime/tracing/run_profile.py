"""Where the time of one run went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.runtime.tracing.step_stats import Execution


@dataclass(frozen=True)
class RunProfile:
    """What TensorFlow recorded of one run.

    Attributes
    ----------
    wall_s
        How long the run took.
    chrome
        Gives the run as Chrome's JSON, where TensorFlow can draw it.
    peak_bytes
        The most memory that the run took at one time, beside the weights; None where unknown.
    partition_graphs
        The graphs that the run was cut into, one a device; none for a live object.
    """

    wall_s: float
    executions: Sequence[Execution]
    chrome: Callable[[], str | None] = lambda: None
    peak_bytes: int | None = None
    partition_graphs: Sequence[Any] = ()
