"""What the sources that are live Python objects have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from tfmagic.model.room import Room
from tfmagic.model.signature import TensorSpec
from tfmagic.model.sources.source import Built, Source

if TYPE_CHECKING:
    from tfmagic.model.eager_mode import EagerMode
    from tfmagic.model.options import Options


class LiveSource(Source):
    """A live object of the notebook, shared with it and never changed.

    Parameters
    ----------
    live
        The object. It is held, so that its identity stays its own.
    text
        What the person typed.
    """

    takes_options: ClassVar[frozenset[str]] = frozenset({"copy"})

    def __init__(self, live: Any, text: str) -> None:
        super().__init__(text)
        self.live: Any = live

    def fingerprint(self) -> object:
        """Return the object's identity: in eager mode its weights are shared anyway."""
        return id(self.live)

    def release(self) -> None:
        """Let go of the object."""
        self.live = None


class SharedSource(LiveSource):
    """A live object that is called as it is, or copied into a graph."""

    mode: ClassVar[str] = "eager"

    @abstractmethod
    def connect(self, room: Room, options: Options) -> EagerMode:
        """Read off the object what it takes and gives, and how it is called.

        Parameters
        ----------
        room
            The model's room, without a graph.
        options
            What was said with ``add``.
        """

    def build(self, model: str, options: Options, room: Room | None = None) -> Built:
        """Share the object; a copy of it is made from what this gives.

        Parameters
        ----------
        model, options
            As for every source.
        room
            The room of the cell that made the object, if one did.
        """
        return Built(self.connect(room or Room(model, device=options.device), options), self.notes())

    def notes(self) -> list[str]:
        """Return what there is to say of the object when it is shared."""
        return []


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
