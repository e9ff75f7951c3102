"""The private names that traces use, and what there is where one has gone."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.runtime.tensorflow.private import chrome_trace, xspace

if TYPE_CHECKING:
    import pytest


def step_stats() -> Any:
    metadata = tf.compat.v1.RunMetadata()
    stats = metadata.step_stats.dev_stats.add(device="/job:localhost/replica:0/task:0/device:CPU:0")
    stats.node_stats.add(node_name="a", timeline_label="a = Add(x, y)", all_start_micros=5, all_end_rel_micros=7)
    return metadata.step_stats


def test_a_profile_can_be_read() -> None:
    written = xspace(b"")
    written.planes.add(name="/host:CPU")
    assert [plane.name for plane in xspace(written.SerializeToString()).planes] == ["/host:CPU"]


def test_without_the_message_a_profile_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow.tsl.profiler.protobuf", None)
    monkeypatch.setitem(sys.modules, "tensorflow.tsl.profiler.protobuf.xplane_pb2", None)
    assert list(xspace(b"anything").planes) == []


def test_tensorflows_timeline_draws_step_stats() -> None:
    drawn = chrome_trace(step_stats())
    assert drawn is not None
    (event,) = [event for event in json.loads(drawn)["traceEvents"] if event["ph"] == "X"]
    assert (event["name"], event["ts"], event["dur"]) == ("Add", 5, 7)


def test_without_it_there_is_no_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow.python.client.timeline", None)
    assert chrome_trace(step_stats()) is None
