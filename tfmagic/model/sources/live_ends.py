"""What has to be known of the ends of a live object before it can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.errors import SaveError

if TYPE_CHECKING:
    from tfmagic.model.signature import Signature


def unknown_input(signature: Signature) -> str | None:
    """Return the first input of which dtype and shape could not be found out, None where all are known."""
    return next((spec.name for spec in signature.required if spec.dtype is None), None)


def require_known(label: str, signature: Signature) -> None:
    """Refuse a signature with an input of which dtype and shape could not be found out.

    Raises
    ------
    SaveError
        Saying what to do.
    """
    unknown = unknown_input(signature)
    if unknown is not None:
        msg = (
            f"{label} cannot be saved yet, for the dtype and shape of its input {unknown!r} are not known: "
            f"run it once (%tf_run {label} …), or give its function an input_signature"
        )
        raise SaveError(msg)
