"""A subshell: a second thread of a kernel that answers while the first is busy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jupyter_client.blocking.client import BlockingKernelClient

from kernel.harness import PATIENCE_S, Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from kernel.harness import Reply


class Subshell(Kernel):
    """A subshell of a running kernel, which runs cells as that does.

    It has a client of its own, so that it can be waited for at the same time.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.folder = kernel.folder
        self.manager = kernel.manager
        # The manager's own clients are all of one identity, of which the kernel hears one.
        self.client = BlockingKernelClient(connection_file=self.manager.connection_file)
        self.client.load_connection_file()
        self.client.start_channels()
        # Also shows that this client hears what the kernel publishes.
        self.client.wait_for_ready(timeout=PATIENCE_S)
        self._id = self._asked("create_subshell_request")["subshell_id"]

    def send(self, code: str) -> str:
        """Send a cell to the subshell."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = self.client.session.msg("execute_request", content)
        message["header"]["subshell_id"] = self._id
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def statuses(self, comm: str, data: dict[str, Any]) -> list[tuple[str, str]]:
        """Send a message to a comm; return each status until it is handled, and the type of what that answers."""
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        message["header"]["subshell_id"] = self._id
        self.client.shell_channel.send(message)
        found: list[tuple[str, str]] = []
        while "idle" not in dict(found):
            heard = self.client.get_iopub_msg(timeout=PATIENCE_S)
            parent = heard["parent_header"]
            if heard["msg_type"] == "status" and parent.get("msg_id") == message["header"]["msg_id"]:
                found.append((heard["content"]["execution_state"], parent["msg_type"]))
        return found

    def stop(self) -> None:
        """Delete the subshell."""
        self._asked("delete_subshell_request", subshell_id=self._id)
        self.client.stop_channels()

    def _asked(self, kind: str, **content: str) -> dict[str, Any]:
        message = self.client.session.msg(kind, content)
        self.client.control_channel.send(message)
        while True:
            reply = self.client.get_control_msg(timeout=PATIENCE_S)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                assert reply["content"]["status"] == "ok", reply
                answer: dict[str, Any] = reply["content"]
                return answer


@contextmanager
def at_once(kernel: Kernel, cell: str) -> Iterator[Future[Reply]]:
    """Run a cell for as long as the block lasts, and have it ended by then."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(kernel.run, cell)
