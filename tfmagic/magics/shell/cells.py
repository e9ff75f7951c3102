"""What is done around cells: what they have freed goes back to the system, after each one and between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.core.running_cells import busy
from tfmagic.model.drop import lingering, still_held
from tfmagic.model.registry import the_models
from tfmagic.panel.snapshot.sampler import sampler
from tfmagic.runtime.libraries.timeline import libraries
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.native_log.log import native_log
from tfmagic.runtime.tensorflow.custom_gradients import tie_gradients_to_graphs

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def before_cell(info: Any = None) -> None:
    """Note that a cell begins."""
    del info
    busy().begin()


def after_cell(result: Any = None) -> None:
    """Show what the cell wrote to stderr, note what it loaded, and give back what it freed and TensorFlow has read."""
    del result
    busy().end()
    native_log().settle()
    libraries().look()
    memory_policy().settle(_config)
    tie_gradients_to_graphs()
    still_held().look()
    between_cells()


def whose(time_s: float) -> list[str]:
    """Return the names of the models that ran at a time."""
    return [model.name for model in the_models().present() if model.caller.was_running_at(time_s)]


def between_cells() -> None:
    """Give back what is free, unless something runs: that would have to take its buffers anew."""
    if busy().since_s is not None:
        return
    if not any(model.state in {"running", "stopping"} for model in the_models().present()):
        memory_policy().trim()
        lingering().look()


def look() -> None:
    """Make a snapshot for whoever watches, and for the history."""
    # Not before the first one: loading is to stay quick.
    from tfmagic.panel.snapshot.live import live

    live().look()


_HOOKS = {"pre_run_cell": before_cell, "post_run_cell": after_cell}


def look_after_cells(shell: InteractiveShell) -> None:
    """Have it done in `shell` from now on."""
    for event, hook in _HOOKS.items():
        shell.events.register(event, hook)
    sampler().always = [between_cells, look]
    sampler().start()


def leave_cells_alone(shell: InteractiveShell) -> None:
    """Take back what `look_after_cells` did, also of this module as it was before a reload."""
    for event, hook in _HOOKS.items():
        for callback in list(shell.events.callbacks[event]):
            if (getattr(callback, "__module__", ""), callback.__name__) == (hook.__module__, hook.__name__):
                shell.events.unregister(event, callback)
    sampler().always = []
    sampler().stop()
    busy().forget()


def _config() -> Any:
    from tfmagic.runtime.session.kernel_session import KernelSession

    return KernelSession().config
