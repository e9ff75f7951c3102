"""``%tf_panel --sidebar``: JupyterLab's sidebar where a page has one, and the panel in the cell where none has."""

from __future__ import annotations

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from kernel.harness import PATIENCE_S, Kernel

pytestmark = pytest.mark.kernel


class Page:
    """What of JupyterLab's page matters here: it hears that the sidebar is wanted, and says that it is seen."""

    def __init__(self, kernel: Kernel) -> None:
        # The manager's own clients are all of one identity, of which the kernel hears one.
        self.client = BlockingKernelClient(connection_file=kernel.manager.connection_file)
        self.client.load_connection_file()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE_S)

    def is_asked(self) -> bool:
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE_S)
            if message["msg_type"] == "tfmagic_push" and message["content"] == {"kind": "reveal"}:
                return True

    def answer(self) -> None:
        message = self.client.session.msg("tfmagic_request", {"id": "1", "request": "revealed"})
        self.client.control_channel.send(message)


def test_a_page_that_has_a_sidebar_is_asked_to_show_it_and_nothing_else_is_shown(kernel: Kernel) -> None:
    page = Page(kernel)

    def show() -> None:
        assert page.is_asked()
        page.answer()

    reply = kernel.run("%tf_panel --sidebar", meanwhile=show)
    page.client.stop_channels()
    assert (reply.status, reply.results, reply.stdout, reply.stderr) == ("ok", [], "", "")


def test_without_a_sidebar_it_says_so_in_a_line_and_shows_the_panel(kernel: Kernel) -> None:
    line, panel = kernel.ok("%tf_panel --sidebar").results
    assert "no page with tfmagic's sidebar has answered" in line["text/plain"]
    assert "\n" not in line["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in panel
