"""Which variable TensorFlow means when it says that one has no value."""

from __future__ import annotations

import re

# Resource variables, then reference variables (TF1's VariableV2); the texts are
# those of resource_variable_ops.cc and executor.cc in TensorFlow 2.16 to 2.21.
_SAYINGS = (
    re.compile(r"Could not find variable (?P<name>\S+?)\. "),
    re.compile(r"Attempting to use uninitialized value (?P<name>\S+)"),
    re.compile(r"(?:Resource|Container) \S*/(?P<name>[^/\s]+)/\S* does not exist"),
    re.compile(r"Error while reading resource variable (?P<name>\S+) from Container"),
)


def variable_named_in(message: str) -> str | None:
    """Return the variable that an error message calls uninitialised, or None."""
    for saying in _SAYINGS:
        found = saying.search(message)
        if found is not None:
            return found["name"]
    return None
