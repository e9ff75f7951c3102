"""The panel's kernel side: what a page is sent, over a real comm."""

from __future__ import annotations

import time
from queue import Empty
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_server.services.kernels.kernelmanager import MappingKernelManager

from kernel.harness import PATIENCE_S, Kernel
from kernel.subshell import Subshell, at_once

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.kernel


class Page:
    """A page that shows a panel of the kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        kernel.ok("import tfmagic\npanel = tfmagic.Panel()")
        self.comm = kernel.value("panel.comm.comm_id").strip("'")

    def ask(self, request: str, **fields: Any) -> None:
        """Send a request."""
        content = {"id": "7", "request": request, **fields}
        data = {"comm_id": self.comm, "data": {"method": "custom", "content": content}}
        self.kernel.client.shell_channel.send(self.kernel.client.session.msg("comm_msg", data))

    def hears(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a message of the panel's."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                message = self.kernel.client.get_iopub_msg(timeout=1)
            except Empty:
                continue
            if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == self.comm:
                found: dict[str, Any] = message["content"]["data"].get("content", {})
                if wanted(found):
                    return found
        raise TimeoutError

    def looks(self) -> dict[str, Any]:
        """Say that somebody looks, and wait for the next snapshot after that."""
        self.ask("watch", page="one", looking=True)
        self.hears(lambda message: message.get("kind") == "reply")
        return self.hears(lambda message: message.get("kind") == "snapshot")


@pytest.fixture
def page(kernel: Kernel) -> Page:
    kernel.ok("%config TfMagic.panel_interval = 0.1")
    return Page(kernel)


def test_an_open_panel_lives_on_after_a_reload_of_the_extension(kernel: Kernel, page: Page) -> None:
    assert page.looks()
    kernel.ok("%reload_ext tfmagic")
    assert page.looks()


def test_a_cell_that_runs_another_is_busy_to_its_end(kernel: Kernel) -> None:
    since = "tfmagic.snapshot()['kernel']['cell_since_s'] is None"
    assert kernel.value(f"import tfmagic\n(get_ipython().run_cell('1') and None, {since})[1]") == "False"


def test_what_a_page_says_is_no_status_that_a_front_end_minds(kernel: Kernel) -> None:
    (kernel.folder / "go").unlink(missing_ok=True)
    kernel.ok("import pathlib, time, ipywidgets, tfmagic\npanel, other = tfmagic.Panel(), ipywidgets.IntSlider()")
    ours, others = (kernel.value(f"{name}.comm.comm_id").strip("'") for name in ("panel", "other"))
    # Jupyter's own classes carry no types.
    kind: Any = MappingKernelManager
    untracked = set(kind().untracked_message_types)
    watch = {"id": "1", "request": "watch", "page": "one", "looking": True}
    subshell = Subshell(kernel)
    try:
        with at_once(kernel, "while not pathlib.Path('go').exists(): time.sleep(0.01)") as busy:
            for data in ({"method": "custom", "content": watch}, {"method": "request_state"}):
                found = subshell.statuses(ours, data)
                assert [status for status, _ in found] == ["busy", "idle"]
                assert {answered for _, answered in found} <= untracked
            assert not busy.done()
            (kernel.folder / "go").touch()
        assert busy.result().status == "ok"
        assert subshell.statuses(others, {"method": "request_state"}) == [("busy", "comm_msg"), ("idle", "comm_msg")]
    finally:
        (kernel.folder / "go").touch()
        subshell.stop()


def test_an_error_that_no_message_can_hold_does_not_end_what_is_sent(kernel: Kernel, page: Page) -> None:
    assert page.looks()
    kernel.ok("""
        import tensorflow as tf
        class Failing(tf.Module):
            def __call__(self, x):
                raise ValueError(chr(0xD800) + chr(0xDCE9) + " is no text")
        net = tfmagic.models.add("net", Failing())
        try:
            net(1.0)
        except ValueError:
            pass
    """)
    rows = page.looks()["snapshot"]["models"]
    assert [row["last_error"] for row in rows] == ["ValueError: ?? is no text"]
