"""The part of tfmagic in Jupyter's server: what a panel asks of a kernel does not count as the kernel's work.

Without it a notebook's busy indicator goes idle when a panel asks something while a
cell runs, and a kernel whose panel is open never counts as unused. A value in a
configuration file would replace what ``MappingKernelManager.untracked_message_types``
names by default; this adds to it.
"""

from __future__ import annotations

from typing import Any

from tfmagic.panel.channel.channel import PUSH, REPLY, REQUEST

_TYPES = (
    *(REQUEST, REPLY, PUSH),
    # JupyterLab sends these over the control channel when the first widget comes, also while a cell runs.
    *("create_subshell_request", "delete_subshell_request"),
)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    """Name the module to Jupyter's server, which asks for it by this name."""
    return [{"module": "tfmagic.labserver"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Add tfmagic's messages to those that are no activity; the server calls it by this name."""
    manager = server.kernel_manager
    untracked = getattr(manager, "untracked_message_types", None)
    if untracked is None:
        # A gateway's kernels: another server minds them.
        return
    manager.untracked_message_types = with_ours(untracked)
    # JupyterLab, where it was loaded before this, has told its page already.
    page = server.web_app.settings.get("page_config_data", {})
    if "untracked_message_types" in page:
        page["untracked_message_types"] = with_ours(page["untracked_message_types"])


def with_ours(types: list[str]) -> list[str]:
    """Return a list of message types with tfmagic's own among them."""
    return [*types, *(one for one in _TYPES if one not in types)]
