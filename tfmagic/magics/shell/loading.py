"""``%load_ext tfmagic`` and ``%unload_ext tfmagic``.

Loading sets the memory policy, notes which libraries are there, and registers names:
magics, hooks, the completion matcher, views. Each of them imports what it needs when it
is first used.
"""

from __future__ import annotations

import atexit
import gc
from typing import TYPE_CHECKING

from tfmagic.concurrency.workers import workers
from tfmagic.core.notices import notices
from tfmagic.core.process import existing
from tfmagic.magics.completion.matcher import add_matcher, remove_matcher
from tfmagic.magics.shell.cell_hooks import leave_cells_alone, look_after_cells
from tfmagic.magics.shell.display import hide_views, show_views
from tfmagic.magics.shell.extension import TfMagics
from tfmagic.magics.shell.settings import add_settings, remove_settings
from tfmagic.runtime.libraries.timeline import libraries
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.startup.importing import ignore_import, watch_import

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load(shell: InteractiveShell) -> None:
    """Register tfmagic with `shell`, after removing what an earlier load left there."""
    unload(shell)
    libraries()  # what is there now is the baseline
    watch_import()
    notices().show = _print_line
    add_settings(shell)
    memory_policy().apply()
    look_after_cells(shell)
    if hasattr(shell, "kernel"):
        from tfmagic.panel.channel.channel import open_channel

        open_channel(shell)
    shell.register_magics(TfMagics)
    add_matcher(shell)
    show_views(shell)
    workers().interactive = True
    # Python collects garbage once more before it ends. With TensorFlow that visits two million objects: a second or
    # two by which a restart of the kernel is late, for memory that nobody needs any more.
    atexit.register(gc.freeze)
    if (stays := memory_policy().new_warning()) is not None:
        _print_line(f"tfmagic: {stays}")


def unload(shell: InteractiveShell) -> None:
    """Remove everything of tfmagic from `shell`, and end the worker threads."""
    _remove_magics(shell)
    remove_matcher(shell)
    hide_views(shell)
    remove_settings(shell)
    ignore_import()
    notices().show = notices().log
    if hasattr(shell, "kernel"):
        from tfmagic.panel.channel.channel import close_channel

        close_channel(shell)
    leave_cells_alone(shell)
    workers().dismiss()
    if (log := existing("native log")) is not None:
        log.stop()
        log.models_at = None
    atexit.unregister(gc.freeze)


def _remove_magics(shell: InteractiveShell) -> None:
    """Remove the magics, for which IPython has no call: they are in two tables, a registry and the configurables."""
    manager = shell.magics_manager
    name = TfMagics.__name__
    for table in manager.magics.values():
        # By name first: IPython imports its own magics when they are looked at.
        for magic in [magic for magic in table if magic.startswith("tf_")]:
            if type(getattr(table[magic], "__self__", None)).__name__ == name:
                del table[magic]
    manager.registry.pop(name, None)
    shell.configurables[:] = [part for part in shell.configurables if type(part).__name__ != name]


def _print_line(line: str) -> None:
    print(line)  # noqa: T201 - in the cell that it comes from
