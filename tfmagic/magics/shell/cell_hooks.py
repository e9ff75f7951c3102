"""What happens around each cell: memory that was freed goes back to the system, and new libraries are noted.

The parts of tfmagic that nothing has used yet are left alone: they have nothing to do here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.core.modules import imported
from tfmagic.core.process import existing
from tfmagic.core.running_cells import running_cells
from tfmagic.panel.snapshot.sampler import sampler
from tfmagic.runtime.libraries.timeline import libraries
from tfmagic.runtime.memory.policy import memory_policy

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def before_cell(info: Any = None) -> None:
    """Note that a cell begins."""
    del info
    running_cells().begin()


def after_cell(result: Any = None) -> None:
    """Show what the cell wrote to stderr, note the libraries it loaded, and give back the memory it freed."""
    del result
    running_cells().end()
    if (log := existing("native log")) is not None:
        log.drain()
    libraries().look()
    memory_policy().unset_once_read(_config)
    if imported("tensorflow") is not None:
        from tfmagic.runtime.tensorflow.custom_gradients import tie_gradients_to_graphs

        tie_gradients_to_graphs()
    if (drops := existing("drop watch")) is not None:
        drops.look_at_objects()
    between_cells()


def models_that_ran(time_s: float) -> list[str]:
    """Return the names of the models that ran at a time."""
    return [model.name for model in _models() if model.caller.was_running_at(time_s)]


def between_cells() -> None:
    """Give free memory back, unless something runs: it would have to allocate its buffers again."""
    if running_cells().since_s is not None or any(model.state in {"running", "stopping"} for model in _models()):
        return
    memory_policy().trim()
    if (drops := existing("drop watch")) is not None:
        drops.look_at_runs()


def update_snapshot() -> None:
    """Make a snapshot for the panels that watch, and for the history."""
    from tfmagic.panel.snapshot.memory_history import history

    history().look()


_HOOKS = {"pre_run_cell": before_cell, "post_run_cell": after_cell}


def look_after_cells(shell: InteractiveShell) -> None:
    """Register the hooks with `shell`, and start the thread that works between cells."""
    for event, hook in _HOOKS.items():
        shell.events.register(event, hook)
    sampler().always = [between_cells, update_snapshot]
    sampler().start()


def leave_cells_alone(shell: InteractiveShell) -> None:
    """Undo `look_after_cells`, also of this module as it was before a reload."""
    for event, hook in _HOOKS.items():
        for callback in list(shell.events.callbacks[event]):
            if (getattr(callback, "__module__", ""), callback.__name__) == (hook.__module__, hook.__name__):
                shell.events.unregister(event, callback)
    sampler().always = []
    sampler().stop()
    running_cells().clear()


def _models() -> list[Any]:
    models = existing("models")
    return [] if models is None else models.present()


def _config() -> Any:
    from tfmagic.runtime.session.kernel_session import KernelSession

    return KernelSession().config
