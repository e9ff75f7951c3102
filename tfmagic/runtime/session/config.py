"""The one ``ConfigProto`` of every native session in the process.

Two sessions of one process with different ``gpu_options`` fail (tensorflow#19083), and
the first session that opens sizes the thread pools. So the configuration is derived from
``tf.config`` when the first session opens, and frozen there.
"""

from __future__ import annotations

import threading
from typing import Any

import tensorflow as tf

from tfmagic.errors import ConfigError
from tfmagic.runtime.tensorflow.private import eager_config

v1 = tf.compat.v1


class SessionConfig:
    """The process's session configuration: it can be set until the first graph runs, and is then frozen."""

    def __init__(self) -> None:
        self.is_frozen = False
        self._config: Any = None
        self._lock = threading.RLock()

    def request(self, requested: Any) -> None:
        """Overlay ``tf.config`` with a ``ConfigProto``; `ConfigError` if a different configuration is frozen."""
        with self._lock:
            merged = derive_config(requested)
            if not self.is_frozen:
                self._config = merged
                return
            conflicts = differences(merged, self._config)
        if conflicts:
            msg = (
                f"this process's session has its configuration already: {'; '.join(conflicts)} "
                "(thread pools and devices are made once a process: set it before the first run)"
            )
            raise ConfigError(msg)

    def freeze(self) -> Any:
        """Return the ``ConfigProto``, which no longer changes from now on."""
        with self._lock:
            if self._config is None:
                self._config = derive_config()
            self.is_frozen = True
            return self._config

    def copy(self) -> Any:
        """Return a copy of the ``ConfigProto`` in force, or of the one that would be if a graph ran now."""
        config = v1.ConfigProto()
        config.CopyFrom(self._config if self._config is not None else derive_config())
        return config


def derive_config(requested: Any = None) -> Any:
    """Return the ``ConfigProto`` of ``tf.config``, overlaid with a requested one.

    `ConfigError` if the request is neither a ``tf.compat.v1.ConfigProto`` nor None.
    """
    config = eager_config()
    if requested is None:
        return config
    if not isinstance(requested, v1.ConfigProto):
        msg = f"a session's config is a tf.compat.v1.ConfigProto, not a {type(requested).__name__}"
        raise ConfigError(msg)
    if requested.gpu_options.experimental.virtual_devices:
        # MergeFrom would append to a repeated field, and double the devices.
        config.gpu_options.experimental.ClearField("virtual_devices")
    config.MergeFrom(requested)
    return config


def differences(requested: Any, in_force: Any, prefix: str = "") -> list[str]:
    """Return ``field is in force, not requested`` for every field in which two configs differ."""
    lines: list[str] = []
    for field in requested.DESCRIPTOR.fields:
        value, value_in_force = getattr(requested, field.name), getattr(in_force, field.name)
        if value == value_in_force:
            continue
        is_single_message = hasattr(value, "DESCRIPTOR") and hasattr(value, "ListFields")
        if is_single_message:
            lines += differences(value, value_in_force, f"{prefix}{field.name}.")
        else:
            lines.append(f"{prefix}{field.name} is {_short(value_in_force)}, not {_short(value)}")
    return lines


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else text[:39] + "…"
