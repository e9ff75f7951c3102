"""A live object with tables, copied by way of a SavedModel, which has a place for what is no variable."""

from __future__ import annotations

import tempfile
import weakref
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tfmagic.model.options import Options
from tfmagic.model.signature import default_among
from tfmagic.model.sources.saved_model import SavedModelSource
from tfmagic.model.sources.taken import Taken

if TYPE_CHECKING:
    from tfmagic.model.eager_mode import EagerMode
    from tfmagic.model.sources.source import Built


def moved_by_file(eager: EagerMode, options: Options) -> Built:
    """Return the graph of a live object, written to a temporary folder and read from there.

    Parameters
    ----------
    eager
        How the object is called.
    options
        What was said with ``add``.

    Raises
    ------
    SaveError
        When the object cannot be written.
    """
    from tfmagic.model.sources.live_folder import LiveFolder
    from tfmagic.model.sources.live_root import state_of

    label = eager.room.label
    default = default_among(label, eager.signatures, options.signature)
    folder = tempfile.TemporaryDirectory(prefix="tfmagic-")
    path = Path(folder.name) / label
    path.mkdir()
    taken = Taken(eager, partial(state_of, eager))
    # Before it is written: what changes meanwhile is to count as changed.
    deque(taken.values(), maxlen=0)
    LiveFolder(eager, default)(path)
    taken.note_graph()
    built = SavedModelSource(path, label).build(label, Options(signature=default, device=options.device, unsafe=True))
    # The files are read again whenever the session is opened anew: they go with the model.
    weakref.finalize(built.mode, folder.cleanup)
    built.mode.taken = taken
    return built
