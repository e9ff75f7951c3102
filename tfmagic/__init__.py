"""One TensorFlow, one session and a room for each model, in a kernel that never restarts.

``%load_ext tfmagic`` in a notebook; ``from tfmagic import models, session`` in a script.
Importing this package imports neither TensorFlow nor IPython: the first use of a name
that needs them does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmagic.version import __version__

__all__ = [
    "KernelSession",
    "Panel",
    "TfMagicError",
    "__version__",
    "compare",
    "doctor",
    "load_ipython_extension",
    "models",
    "open_session",
    "run_all",
    "session",
    "snapshot",
    "unload_ipython_extension",
]

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from tfmagic.checkup.page import doctor
    from tfmagic.errors import TfMagicError
    from tfmagic.model.registry import Models
    from tfmagic.model.several.compare import compare
    from tfmagic.model.several.run_all import run_all
    from tfmagic.panel.channel.open_panel import panel as Panel  # noqa: N812 - a widget's class, to whoever calls it
    from tfmagic.panel.snapshot.snapshot import snapshot
    from tfmagic.runtime.session.kernel_session import KernelSession
    from tfmagic.runtime.session.open_session import open_session

    models: Models
    session: KernelSession


_LAZY = {
    "Panel": "tfmagic.panel.channel.open_panel:panel",
    "TfMagicError": "tfmagic.errors:TfMagicError",
    "doctor": "tfmagic.checkup.page:doctor",
    "snapshot": "tfmagic.panel.snapshot.snapshot:snapshot",
}
_WITH_TENSORFLOW = {
    "KernelSession": "tfmagic.runtime.session.kernel_session:KernelSession",
    "compare": "tfmagic.model.several.compare:compare",
    "open_session": "tfmagic.runtime.session.open_session:open_session",
    "run_all": "tfmagic.model.several.run_all:run_all",
    "session": "tfmagic.runtime.session.kernel_session:KernelSession",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name == "models":
        from tfmagic.model.registry import the_models
        from tfmagic.runtime.memory.policy import memory_policy

        # Before the first model is added: its graph may take memory earlier.
        memory_policy().apply()
        return the_models()
    place = _LAZY.get(name) or _WITH_TENSORFLOW.get(name)
    if place is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    if name in _WITH_TENSORFLOW:
        from tfmagic.runtime.startup.importing import require_tensorflow

        require_tensorflow()
    from pkgutil import resolve_name

    value = resolve_name(place)
    return value() if name == "session" else value


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics with the shell; prints nothing and imports no TensorFlow."""
    from tfmagic.magics.ipython.replaced import replaced_line

    try:
        from tfmagic.magics.shell.loading import load

        load(shell)
    except (ImportError, AttributeError, TypeError):
        # Half of IPython is imported as it was, and half as it is now.
        if (line := replaced_line()) is None:
            raise
    else:
        if (line := replaced_line()) is not None:
            print(f"tfmagic: {line}")  # noqa: T201 - in the cell that loads it
        return
    from IPython.core.error import UsageError

    raise UsageError(line)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Name the built extension of JupyterLab; ``jupyter labextension develop`` calls this."""
    return [{"src": "labextension", "dest": "@tfmagic/lab"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Name the module that extends Jupyter's server; the server calls this."""
    return [{"module": "tfmagic.labserver"}]


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Remove every magic and hook; models and session stay for the next load."""
    from tfmagic.magics.shell.loading import unload

    unload(shell)
