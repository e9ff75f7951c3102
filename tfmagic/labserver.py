"""The part of tfmagic in Jupyter's server: a panel's requests do not count as work of the kernel.

Without it, a request of a panel turns the notebook's busy indicator idle while a cell
runs, and a kernel with an open panel never counts as unused. A value in a configuration
file would replace the defaults of ``MappingKernelManager.untracked_message_types``; this
adds to them.
"""

from __future__ import annotations

from typing import Any

from tfmagic.panel.channel.channel import PUSH, REPLY, REQUEST

_TYPES = (
    *(REQUEST, REPLY, PUSH),
    # JupyterLab sends these over the control channel with the first widget, also while a cell runs.
    *("create_subshell_request", "delete_subshell_request"),
)


def _load_jupyter_server_extension(server: Any) -> None:
    """Add tfmagic's messages to those that are no activity; Jupyter's server calls this."""
    manager = server.kernel_manager
    untracked = getattr(manager, "untracked_message_types", None)
    if untracked is None:
        # A gateway's kernels belong to another server.
        return
    manager.untracked_message_types = with_ours(untracked)
    # JupyterLab may have been loaded before, and has copied the list for its page.
    page = server.web_app.settings.get("page_config_data", {})
    if "untracked_message_types" in page:
        page["untracked_message_types"] = with_ours(page["untracked_message_types"])


def with_ours(types: list[str]) -> list[str]:
    """Return a list of message types with tfmagic's own among them."""
    return [*types, *(name for name in _TYPES if name not in types)]
