"""``sync``: the present weights of a live object, taken into the model that copies it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.errors import ModelStateError

if TYPE_CHECKING:
    from tfmagic.execution.backends.backend import Backend
    from tfmagic.model.lifecycle.lifecycle import Lifecycle


def sync(lifecycle: Lifecycle) -> int:
    """Take the present weights of the live object, and return how many variables there are.

    Where the object has other settings, layers or variables than it had, its graph is
    made again, without what was added in the room since.

    Raises
    ------
    ModelStateError
        When the model is no copy.
    """
    count = _copy_again(lifecycle)
    lifecycle.training.note_safe(lifecycle.built_backend())
    return count


def _copy_again(lifecycle: Lifecycle) -> int:
    backend = lifecycle.built_backend()
    live_values, copied = backend.live_values, backend.copied_values
    if backend.remake is not None and (live_values is None or copied is None or copied.needs_a_new_graph()):
        # First: what changes meanwhile shall count as changed.
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
        return int(remade.weights().variables)
    if live_values is None:
        shares = "shares its weights with the object" if lifecycle.mode == "eager" else f"is a {lifecycle.source.kind}"
        msg = f"{lifecycle.name} is no copy of a live object, it {shares}: sync is for models added with --copy"
        raise ModelStateError(msg)
    values = list(live_values())
    backend.assign(values)
    return len(values)
