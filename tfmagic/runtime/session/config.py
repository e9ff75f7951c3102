"""The one ``ConfigProto`` that every native session of the process is made from.

Two sessions of one process with different ``gpu_options`` fail (tensorflow#19083),
and thread pools are sized by the first session that is opened. So the
configuration is derived from ``tf.config`` when the first session opens, and
frozen there.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmagic.errors import ConfigError
from tfmagic.runtime.tensorflow.private import eager_config

v1 = tf.compat.v1


def derive(asked: Any = None) -> Any:
    """Return what ``tf.config`` says, overlaid with what was asked for.

    Parameters
    ----------
    asked
        A ``tf.compat.v1.ConfigProto``, or None.

    Raises
    ------
    ConfigError
        When `asked` is something else.
    """
    derived = eager_config()
    if asked is None:
        return derived
    if not isinstance(asked, v1.ConfigProto):
        msg = f"a session's config is a tf.compat.v1.ConfigProto, not a {type(asked).__name__}"
        raise ConfigError(msg)
    if asked.gpu_options.experimental.virtual_devices:
        # MergeFrom would append to a repeated field, and double the devices.
        derived.gpu_options.experimental.ClearField("virtual_devices")
    derived.MergeFrom(asked)
    return derived


def differences(asked: Any, in_force: Any) -> list[str]:
    """Return ``field: asked, in force`` for every field in which two configs differ."""
    found: list[str] = []
    _compare("", asked, in_force, found)
    return found


def _compare(prefix: str, asked: Any, in_force: Any, found: list[str]) -> None:
    for field in asked.DESCRIPTOR.fields:
        mine, theirs = getattr(asked, field.name), getattr(in_force, field.name)
        if mine == theirs:
            continue
        single_message = hasattr(mine, "DESCRIPTOR") and hasattr(mine, "ListFields")
        if single_message:
            _compare(f"{prefix}{field.name}.", mine, theirs, found)
        else:
            found.append(f"{prefix}{field.name} is {_short(theirs)}, not {_short(mine)}")


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else text[:39] + "…"
