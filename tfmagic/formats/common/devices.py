"""Devices that a graph in a file was made for: those of other machines, and those that this one lacks."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmagic.graphdef.walk import bodies
from tfmagic.runtime.session.kernel_session import KernelSession


def place_here(definition: Any, device: str | None = None) -> list[str]:
    """Place what was made for devices that are not here on those that are, as soft placement does; return a note.

    With a `device`, which replaces all others, nothing is done.
    """
    if device is not None:
        return []
    asked = {node.device for nodes in bodies(definition) for node in nodes if node.device}
    if not asked:
        return []
    places = {text: _place(text) for text in asked}
    for nodes in bodies(definition):
        for node in nodes:
            if node.device:
                node.device = places[node.device][0]
    missing = sorted({text for text in asked if places[text][1]})
    if not missing:
        return []
    listed = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
    return [f"made for {listed}, not here: TensorFlow places those operations on what is here"]


def _place(text: str) -> tuple[str, bool]:
    """Return the device to ask for instead, and whether the one asked for is missing."""
    try:
        asked = tf.DeviceSpec.from_string(text)
    except ValueError:
        # TensorFlow says what is wrong with it.
        return text, False
    is_elsewhere = asked.job not in {None, "localhost"} or bool(asked.replica) or bool(asked.task)
    kind, index = asked.device_type, asked.device_index or 0
    # Not the logical devices: listing those starts every one.
    is_here = kind is None or index < max(_count(kind), kind == "CPU")
    if not is_elsewhere and is_here:
        return text, False
    if not is_here and (kind != "GPU" or not KernelSession().config.allow_soft_placement):
        kind = None
    # With soft placement TensorFlow finds another device for a GPU, and knows that one was asked for.
    placed = "" if kind is None else tf.DeviceSpec(device_type=kind, device_index=asked.device_index).to_string()
    return placed, True


def _count(kind: str) -> int:
    """Return how many devices of a kind there are, with those into which one was divided."""
    count = 0
    for device in tf.config.list_physical_devices(kind):
        parts = tf.config.get_logical_device_configuration(device)
        count += max(1, len(parts or ()))
    return count
