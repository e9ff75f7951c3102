"""Which variable TensorFlow means when it says that one has no value."""

from __future__ import annotations

import re

from tfmagic.errors import UninitialisedVariableError

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


def uninitialised(error: Exception, owner: str) -> Exception:
    """Return the error to raise for a failed precondition: one that names the variable, if it is one.

    Parameters
    ----------
    error
        TensorFlow's.
    owner
        What to call the graph.
    """
    variable = variable_named_in(str(error))
    if variable is None:
        return error
    msg = (
        f"variable {variable!r} of {owner} was never initialised: give it a value before what reads it runs, "
        "with its own initializer (session.run(variable.initializer)) or from a checkpoint"
    )
    return UninitialisedVariableError(msg)
