"""What a call costs, NumPy to NumPy: a registered model beside every other way to call the same network.

Each case is a process of its own in which all ways take turns, once each has given the
answer of the Keras model. TensorFlow's own ways run under tfmagic's memory policy there.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.call_peers import PEERS
from benchmarks.call_ways import RAW, WAYS
from benchmarks.called import called
from benchmarks.figures import Figure
from benchmarks.turns import in_turns, over

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.called import Call, Called

OURS = "tfmagic: "
"""What the names of our ways begin with."""
ADDED, RUN, MAGIC = f"{OURS}models.net(x)", f'{OURS}models.net.run({{"x": x}})', f"{OURS}%tf_run net x -o y"
WARM, COMPILED = f"{OURS}models.net(x), --warm", f"{OURS}models.net(x), --compile"
RTOL, ATOL = 1e-3, 1e-6


@dataclass(frozen=True)
class Case:
    """A network at a batch size.

    Attributes
    ----------
    network
        Its name in ``NETWORKS``.
    batch
        How many examples a call takes.
    peer, rivals
        What ours is held against, in words, and how the names of those ways begin.
    limit
        How many times the quickest rival's time ours may take.
    ours
        Which of ours are to keep within it.
    unit
        What times are written in.
    compiled
        Whether ours by XLA is among the ways.
    """

    network: str
    batch: int
    peer: str
    rivals: tuple[str, ...]
    limit: float
    ours: Sequence[str]
    unit: str
    compiled: bool = False


CASES = {
    "small network, batch 1": Case("small", 1, "the best raw callable", tuple(RAW), 1.3, (ADDED, WARM), "µs"),
    "small network, batch 256": Case(
        "small", 256, "ONNX Runtime", ("ONNX Runtime",), 1.5, (WARM,), "µs", compiled=True
    ),
    "MobileNetV2, batch 1": Case("deep", 1, "tf.function", ("tf.function",), 0.95, (WARM,), "ms"),
    "MobileNetV2, batch 32": Case("deep", 32, "tf.function", ("tf.function",), 0.95, (WARM,), "ms"),
}
PER_SECOND = {"µs": 1e6, "ms": 1e3}


def figures(title: str) -> list[Figure]:
    """Return the figures of one case."""
    case = CASES[title]
    with tempfile.TemporaryDirectory() as folder:
        network = called(case.network, Path(folder))
        batch = network.batch(case.batch)
        ways: dict[str, Callable[[], Any]] = {
            **_ours(network, batch, compiled=case.compiled),
            **{way: partial(prepare(network), batch) for way, prepare in WAYS.items()},
            **{way: partial(call, batch) for prepare in PEERS for way, call in prepare(network).items()},
        }
        expected = network.live(batch, training=False).numpy()
        for way, call in ways.items():
            np.testing.assert_allclose(call(), expected, RTOL, ATOL, err_msg=f"{title}: {way}")
        readings = in_turns(ways)
    scale = PER_SECOND[case.unit]
    rivals = [way for way in ways if way.startswith(case.rivals)]
    return [
        *(Figure(f"{title}: {way}", case.unit, [one * scale for one in found]) for way, found in readings.items()),
        *_ratios(title, case, readings, rivals),
        *_as_typed(title, case, readings),
    ]


def _ratios(title: str, case: Case, readings: dict[str, list[float]], rivals: Sequence[str]) -> list[Figure]:
    """Return ours over the quickest rival, and over ONNX Runtime, which is what to aim at."""
    aims = [way for way in readings if way.startswith("ONNX Runtime")]
    found = []
    for ours in (ADDED, *(way for way in (WARM, COMPILED) if way in readings)):
        what, target = f"{title}: {ours.removeprefix(OURS)} over", f"≤ {case.limit:g}" if ours in case.ours else ""
        found.append(Figure(f"{what} {case.peer}, pair by pair", "times", over(readings, ours, rivals), target))
        if rivals != aims:
            found.append(Figure(f"{what} ONNX Runtime, pair by pair", "times", over(readings, ours, aims)))
    return found


def _as_typed(title: str, case: Case, readings: dict[str, list[float]]) -> list[Figure]:
    """Return what the magic takes beside the call, which a long call would hide."""
    if case.unit != "µs" or case.batch > 1:
        return []
    more = [(one - other) * 1e3 for one, other in zip(readings[MAGIC], readings[ADDED], strict=True)]
    return [Figure(f"{title}: %tf_run over models.net(x), pair by pair", "ms", more, "≤ 1 ms")]


def _ours(network: Called, batch: np.ndarray, *, compiled: bool) -> dict[str, Callable[[], Any]]:
    """Return the ways of tfmagic; what is typed is run in IPython's shell, as in a kernel."""
    from IPython.core.interactiveshell import InteractiveShell

    from tfmagic import models

    net = models.add("net", network.path)
    warm = models.add("warm", network.path, warm=True)
    (name,) = (spec.name for spec in net.signature().inputs)
    (output,) = (spec.name for spec in net.signature().outputs)
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "tfmagic")
    shell.user_ns["x"] = batch

    def typed() -> Any:
        shell.run_line_magic("tf_run", "net x -o y")
        return shell.user_ns["y"]

    calls: dict[str, Call] = {
        ADDED: lambda x: models.net(x),  # noqa: PLW0108 - the name is looked up at each call, as where it is typed
        RUN: lambda x: models.net.run({name: x})[output],
        WARM: warm,
    }
    if compiled:
        made = models.add("compiled", network.path, compile=True, warm=True)
        calls[COMPILED] = made
    return {**{way: partial(call, batch) for way, call in calls.items()}, MAGIC: typed}
