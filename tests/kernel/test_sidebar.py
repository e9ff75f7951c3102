"""``%tf_panel --sidebar``: JupyterLab's sidebar where a page has one, and the panel in the cell where none has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from kernel.front_end import FrontEnd

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel


def test_a_page_that_has_a_sidebar_is_asked_to_show_it_and_nothing_else_is_shown(kernel: Kernel) -> None:
    page = FrontEnd(kernel)
    page.ask("snapshot")

    def show() -> None:
        page.pushed("reveal")
        # A page that has asked before is there, however slow its machine is.
        time.sleep(3)
        page.ask("revealed")

    reply = kernel.run("%tf_panel --sidebar", meanwhile=show)
    page.client.stop_channels()
    assert (reply.status, reply.results, reply.stdout, reply.stderr) == ("ok", [], "", "")


def test_without_a_sidebar_it_says_so_in_a_line_and_shows_the_panel(kernel: Kernel) -> None:
    line, panel = kernel.ok("%tf_panel --sidebar").results
    assert "no page with tfmagic's sidebar has answered" in line["text/plain"]
    assert "\n" not in line["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in panel
