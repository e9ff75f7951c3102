"""A front end of a kernel that asks tfmagic over the control channel, as JupyterLab's page does."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jupyter_client.blocking.client import BlockingKernelClient
from page_schema import check

from kernel.harness import PATIENCE_S, Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator


class FrontEnd:
    """A second front end of a kernel, as JupyterLab's page is one."""

    def __init__(self, kernel: Kernel) -> None:
        # The manager's own clients are all of one identity, of which the kernel hears one.
        self.client = BlockingKernelClient(connection_file=kernel.manager.connection_file)
        self.client.load_connection_file()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE_S)

    def send(self, content: Any, kind: str = "tfmagic_request") -> str:
        """Send a request over the control channel, and return what its answer will refer to."""
        message = self.client.session.msg(kind, content)
        self.client.control_channel.send(message)
        return str(message["header"]["msg_id"])

    def answers(self, count: int) -> dict[str, Any]:
        """Return the next answers by the request that they refer to."""
        messages = [self.client.get_control_msg(timeout=PATIENCE_S) for _ in range(count)]
        return {message["parent_header"]["msg_id"]: message["content"] for message in messages}

    def ask(self, request: str, **fields: Any) -> Any:
        """Send a request and return its answer. Answers to earlier requests may come before it, and are passed over."""
        asked = self.send({"id": "7", "request": request, **fields})
        answers: dict[str, Any] = {}
        while asked not in answers:
            answers = self.answers(1)
        answer = answers[asked]
        check({key: value for key, value in answer.items() if key != "status"}, "Reply")
        return answer

    def pushed(self, kind: str) -> Any:
        """Wait for the next push of a kind."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            message = self.client.get_iopub_msg(timeout=PATIENCE_S)
            if message["msg_type"] == "tfmagic_push" and message["content"]["kind"] == kind:
                assert message["parent_header"] == {}
                return message["content"]
        raise TimeoutError(kind)


@contextmanager
def busy(kernel: Kernel) -> Iterator[None]:
    """Run a cell that ends only when it is stopped, for as long as the block lasts."""

    def wait() -> None:
        while kernel.client.get_iopub_msg(timeout=PATIENCE_S)["content"].get("text") != "begun\n":
            pass

    request = kernel.send("print('begun', flush=True)\nwhile True: pass")
    wait()
    try:
        yield
    finally:
        kernel.manager.interrupt_kernel()
    assert kernel._reply_to(request, time.monotonic() + PATIENCE_S)["ename"] == "KeyboardInterrupt"
