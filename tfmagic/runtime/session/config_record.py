"""The session's configuration as plain data."""

from __future__ import annotations

import sys
from typing import Any, TypedDict

from tfmagic.runtime.memory.policy import memory_policy


class ConfigurationRecord(TypedDict):
    """How native sessions are made.

    Attributes
    ----------
    imported
        Whether TensorFlow is imported; before that there is nothing to show.
    frozen
        Whether a graph has run, which fixes the configuration for the life of the kernel.
    fields
        The fields of the ``ConfigProto`` that are set, ``gpu_options.allow_growth``
        for instance, with their values as text.
    variables
        The environment variables that were set for TensorFlow.
    calls
        The settings made in malloc.
    """

    imported: bool
    frozen: bool
    fields: dict[str, str]
    variables: dict[str, str]
    calls: list[str]


def configuration() -> ConfigurationRecord:
    """Return the session's configuration, without importing TensorFlow."""
    policy = memory_policy().record()
    record: ConfigurationRecord = {
        "imported": "tensorflow" in sys.modules,
        "frozen": False,
        "fields": {},
        "variables": policy["variables"],
        "calls": policy["calls"],
    }
    if record["imported"]:
        from tfmagic.runtime.session.kernel_session import KernelSession

        session = KernelSession()
        record["frozen"] = session.is_frozen
        record["fields"] = _fields(session.config)
    return record


def _fields(message: Any, prefix: str = "") -> dict[str, str]:
    fields: dict[str, str] = {}
    for field, value in message.ListFields():
        name = prefix + field.name
        if hasattr(value, "ListFields"):
            fields.update(_fields(value, f"{name}."))
        else:
            fields[name] = " ".join(str(value).split())
    return fields
