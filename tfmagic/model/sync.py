"""``sync``: copy the present weights of a live object into the model that was made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.errors import ModelStateError

if TYPE_CHECKING:
    from tfmagic.execution.backends.backend import Backend
    from tfmagic.model.lifecycle.lifecycle import Lifecycle


def sync(lifecycle: Lifecycle) -> int:
    """Take the present weights of the live object, and return how many variables there are.

    An object with other settings, layers or variables gets a new graph, without what cells
    added to the room. A model that is no copy raises ModelStateError.
    """
    backend = lifecycle.built_backend()
    live_values, copied = backend.live_values, backend.copied_values
    if backend.remake is not None and (live_values is None or copied is None or copied.needs_a_new_graph()):
        # First: a change from here on must count as a change.
        fingerprint = lifecycle.source.fingerprint()
        remade: Backend = backend.remake()
        try:
            lifecycle.hooks.before_opening(remade)
            remade.open()
        except BaseException:
            remade.close()
            raise
        lifecycle.backend, lifecycle.fingerprint = remade, fingerprint
        backend.close()
        count = remade.weights().variables
    elif live_values is not None:
        values = list(live_values())
        backend.assign(values)
        count = len(values)
    else:
        shares = "shares its weights with the object" if lifecycle.mode == "eager" else f"is a {lifecycle.source.kind}"
        msg = f"{lifecycle.name} is no copy of a live object, it {shares}: sync is for models added with --copy"
        raise ModelStateError(msg)
    lifecycle.training.note_safe(lifecycle.built_backend())
    return count
