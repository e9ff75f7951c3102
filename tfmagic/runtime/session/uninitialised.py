"""The variable in an error of TensorFlow about a missing value."""

from __future__ import annotations

import re

from tfmagic.errors import UninitialisedVariableError

# Resource variables, then reference variables (TF1's VariableV2); the texts are
# those of resource_variable_ops.cc and executor.cc in TensorFlow 2.16 to 2.21.
_MESSAGES = (
    re.compile(r"Could not find variable (?P<name>\S+?)\. "),
    re.compile(r"Attempting to use uninitialized value (?P<name>\S+)"),
    re.compile(r"(?:Resource|Container) \S*/(?P<name>[^/\s]+)/\S* does not exist"),
    re.compile(r"Error while reading resource variable (?P<name>\S+) from Container"),
)


def uninitialised(error: Exception, owner: str) -> Exception:
    """Return an error that names the variable without a value, or `error` if it means something else.

    The message calls the graph `owner`.
    """
    variable = next((match["name"] for text in _MESSAGES if (match := text.search(str(error)))), None)
    if variable is None:
        return error
    msg = (
        f"variable {variable!r} of {owner} was never initialised: give it a value before what reads it runs, "
        "with its own initializer (session.run(variable.initializer)) or from a checkpoint"
    )
    return UninitialisedVariableError(msg)
