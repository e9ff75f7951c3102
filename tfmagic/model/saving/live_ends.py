"""What has to be known of the ends of a live object before it can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.errors import SaveError

if TYPE_CHECKING:
    from tfmagic.model.signature import Signature


def require_known(label: str, signature: Signature, default: str) -> None:
    """Refuse a signature with an input of which dtype and shape could not be found out.

    Raises
    ------
    SaveError
        Saying what to do.
    """
    unknown = next((spec for spec in signature.required if spec.dtype is None), None)
    if unknown is not None:
        one = "" if signature.name == default else f" --signature {signature.name}"
        msg = (
            f"{label} cannot be saved yet, for the dtype and shape of its input {unknown.name!r} are not known: "
            f"run it once (%tf_run {label} …{one}), or give its function an input_signature"
        )
        raise SaveError(msg)
