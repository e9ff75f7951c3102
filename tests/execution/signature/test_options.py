"""What can be said about a source: checked before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

from tfmagic.errors import SourceError
from tfmagic.execution.signature.options import Options, full_device


@pytest.mark.parametrize(
    ("device", "full"),
    [
        ("cpu", "/device:CPU:0"),
        ("GPU", "/device:GPU:0"),
        ("gpu:1", "/device:GPU:1"),
        ("/device:GPU:1", "/device:GPU:1"),
        ("/job:localhost/replica:0/task:0/device:CPU:0", "/job:localhost/replica:0/task:0/device:CPU:0"),
    ],
)
def test_devices_in_every_form(device: str, full: str) -> None:
    assert full_device(device) == full


@pytest.mark.parametrize("device", ["", "gpu 1", "gpu:one", "1", "/gpu", "cpu:0:0"])
def test_what_is_no_device_is_refused(device: str) -> None:
    with pytest.raises(SourceError, match="is no device: expected cpu, gpu, gpu:1"):
        Options.checked(device=device)


@pytest.mark.parametrize(
    ("ends", "pairs"),
    [
        ("x=op:0, y", (("x", "op:0"), ("y", "y"))),
        ("tower/x:0", (("x", "tower/x:0"),)),
        (["a", "b=c:1"], (("a", "a"), ("b", "c:1"))),
        ({"x": "op"}, (("x", "op"),)),
        (None, None),
    ],
)
def test_ends_in_every_form(ends: Any, pairs: Any) -> None:
    options = Options.checked(inputs=ends, outputs=ends)
    assert (options.inputs, options.outputs) == (pairs, pairs)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ("x=", "--inputs: 'x=' names no tensor"),
        ("", "--inputs names nothing"),
        ({}, "--inputs names nothing"),
        ("a/x,b/x", "--inputs names 'x' twice"),
    ],
)
def test_ends_that_are_refused(ends: Any, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        Options.checked(inputs=ends)


def test_tags_in_every_form() -> None:
    assert Options.checked(tags="serve, gpu").tags == ("serve", "gpu")
    assert Options.checked(tags=["serve"]).tags == ("serve",)
    assert Options.checked().tags is None
