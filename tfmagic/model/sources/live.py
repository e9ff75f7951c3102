"""What the sources that are live Python objects have in common."""

from __future__ import annotations

from typing import Any, ClassVar

from tfmagic.model.signature import TensorSpec
from tfmagic.model.sources.source import Source


class LiveSource(Source):
    """A live object of the notebook, shared with it and never changed.

    Parameters
    ----------
    live
        The object. It is held, so that its identity stays its own.
    text
        What the person typed.
    """

    mode: ClassVar[str] = "eager"

    def __init__(self, live: Any, text: str) -> None:
        super().__init__(text)
        self.live: Any = live

    def fingerprint(self) -> object:
        """Return the object's identity: in eager mode its weights are shared anyway."""
        return id(self.live)

    def release(self) -> None:
        """Let go of the object."""
        self.live = None


def spec_of(name: str, spec: Any, own: str | None = None) -> TensorSpec:
    """Return the end that a ``tf.TensorSpec``, a Keras tensor or the like describes.

    Parameters
    ----------
    name
        What to call it.
    spec
        Anything with ``dtype`` and ``shape``.
    own
        What the object itself calls it, if that is another name.
    """
    dtype = getattr(spec.dtype, "name", spec.dtype)
    shape = spec.shape
    if hasattr(shape, "rank"):
        sizes = None if shape.rank is None else tuple(shape.as_list())
    else:
        sizes = tuple(shape)
    return TensorSpec(name, str(dtype), sizes, own or name)
