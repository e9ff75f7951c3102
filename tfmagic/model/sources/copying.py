"""``--copy``: a live object, once it is known how to call it, in a graph of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.model.eager_mode import EagerMode
from tfmagic.model.signature import default_among
from tfmagic.model.sources.keras_clone import archivist, clone
from tfmagic.model.sources.keras_model import is_model
from tfmagic.model.sources.moving import TablesError, moved
from tfmagic.model.sources.moving_by_file import moved_by_file
from tfmagic.model.sources.source import Built

if TYPE_CHECKING:
    from tfmagic.model.options import Options
    from tfmagic.model.sources.source import Source


def built_from(source: Source, model: str, options: Options) -> Built:
    """Return what a source makes; where a copy is asked for, a graph of its own.

    Parameters
    ----------
    source
        The source.
    model
        The name that the model is to have.
    options
        What was said with ``add``.

    Raises
    ------
    SourceError
        When that cannot be done; nothing is left behind.
    """
    __tracebackhide__ = True
    built = source.build(model, options)
    if options.copy and isinstance(built.mode, EagerMode):
        made = copied(built.mode, options)
        # From the source: the object may have another function to call by then.
        made.mode.anew = lambda: built_from(source, model, options).mode
        return made
    return built


def copied(eager: EagerMode, options: Options) -> Built:
    """Return the graph of a live object, with weights of its own.

    Parameters
    ----------
    eager
        How the object is called.
    options
        What was said with ``add``.

    Raises
    ------
    SourceError
        When the object cannot be made a graph, or an input's dtype or shape is not
        known.
    """
    live = eager.live
    try:
        mode, variables, notes = moved(eager, default_among(eager.room.label, eager.signatures, options.signature))
    except TablesError:
        return moved_by_file(eager, options)
    if is_model(live):
        # So that the copy can be written as a .keras file, too.
        places = {id(one.handle): at for at, one in enumerate(live.variables)}
        by_name = {name: places[id(one.handle)] for name, one in variables.items() if id(one.handle) in places}
        mode.archivist = archivist(mode, lambda: clone(live), by_name)
    return Built(mode, notes)
