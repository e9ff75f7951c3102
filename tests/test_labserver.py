"""What tfmagic tells Jupyter's server."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

from tfmagic.labserver import _load_jupyter_server_extension

OURS = {"tfmagic_request", "tfmagic_reply", "tfmagic_push", "create_subshell_request", "delete_subshell_request"}


def test_a_panels_messages_are_no_activity_and_what_was_none_before_stays_none() -> None:
    # Jupyter's own classes carry no types.
    kind: Any = MappingKernelManager
    manager = kind()
    before = set(manager.untracked_message_types)
    page = {"untracked_message_types": list(before)}
    server = SimpleNamespace(kernel_manager=manager, web_app=SimpleNamespace(settings={"page_config_data": page}))
    _load_jupyter_server_extension(server)
    _load_jupyter_server_extension(server)
    assert sorted(manager.untracked_message_types) == sorted(before | OURS)
    assert sorted(page["untracked_message_types"]) == sorted(before | OURS)
    assert not manager.track_message_type("tfmagic_request")
    assert manager.track_message_type("execute_request")


def test_a_server_without_kernels_of_its_own_is_left_alone() -> None:
    server = SimpleNamespace(kernel_manager=SimpleNamespace(), web_app=SimpleNamespace(settings={}))
    _load_jupyter_server_extension(server)
    assert vars(server.kernel_manager) == {}
