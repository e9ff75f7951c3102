"""What JupyterLab speaks with: requests over the control channel, snapshots over iopub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from page_schema import check

from kernel.cells import LINE
from kernel.front_end import FrontEnd, busy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel


@pytest.fixture
def page(kernel: Kernel) -> Iterator[FrontEnd]:
    front = FrontEnd(kernel)
    yield front
    front.client.stop_channels()


def test_a_request_is_answered_while_a_cell_runs(kernel: Kernel, page: FrontEnd) -> None:
    kernel.ok(LINE)
    with busy(kernel):
        answer = page.ask("snapshot")
        assert [model["name"] for model in answer["result"]["models"]] == ["line"]
        assert answer["result"]["kernel"]["cell_since_s"] is not None
        check(answer["result"], "Snapshot")
        assert page.ask("park", model="line")["said"].startswith("line: parked")
    assert kernel.value("__import__('tfmagic').models.line.state") == "'parked'"


def test_a_page_that_looks_is_sent_snapshots_while_a_cell_runs(kernel: Kernel, page: FrontEnd) -> None:
    kernel.ok("%config TfMagic.panel_interval = 0.1")
    kernel.ok(LINE)
    with busy(kernel):
        assert page.ask("watch", looking=True, page="a")["ok"]
        first, second = page.pushed("snapshot"), page.pushed("snapshot")
        assert first["names"] == second["names"] == ["line"]
        assert [model["name"] for model in first["snapshot"]["models"]] == ["line"]
        assert second["snapshot"]["models"] == []
        assert second["snapshot"]["seq"] > first["snapshot"]["seq"]
        page.ask("watch", looking=False, page="a")
    kernel.ok("from tfmagic.panel.snapshot.sampler import sampler")
    assert kernel.value("sampler().interval_s") == "5.0"


def test_a_long_request_keeps_the_control_channel_for_nobody(kernel: Kernel, page: FrontEnd) -> None:
    kernel.ok("""
        import threading
        from tfmagic.panel.channel import requests
        release = threading.Event()
        requests.REQUESTS["wait"] = lambda _: (release.wait(), None)
    """)
    try:
        waiting = [page.send({"id": str(number), "request": "wait"}) for number in range(9)]
        refused = page.answers(1)
        assert "too many requests" in refused[waiting[8]]["error"]
        # ipykernel's own messages go on meanwhile.
        asked = page.send({}, "connect_request")
        assert page.answers(1)[asked]["status"] == "ok"
    finally:
        kernel.ok("release.set()")
        kernel.ok('del requests.REQUESTS["wait"]')
    answers = page.answers(8)
    assert {answers[one]["id"] for one in waiting[:8]} == set("01234567")
    assert all(answer["result"] is True for answer in answers.values())


@pytest.mark.parametrize("content", [{}, {"request": "eval", "code": "1/0"}, {"id": {}, "request": ["park"]}])
def test_what_is_no_request_is_refused(kernel: Kernel, page: FrontEnd, content: dict[str, Any]) -> None:
    assert kernel.value("1") == "1"
    asked = page.send(content)
    assert page.answers(1)[asked]["ok"] is False


def test_that_tfmagic_is_there_any_front_end_can_see_while_a_cell_runs(kernel: Kernel, page: FrontEnd) -> None:
    def targets() -> list[str]:
        asked = page.send({"target_name": "tfmagic"}, "comm_info_request")
        return [comm["target_name"] for comm in page.answers(1)[asked]["comms"].values()]

    with busy(kernel):
        assert targets() == ["tfmagic"]
    kernel.ok("%unload_ext tfmagic")
    assert targets() == []
    kernel.ok("%load_ext tfmagic")
    kernel.ok("%reload_ext tfmagic")
    assert targets() == ["tfmagic"]


def test_unloading_leaves_no_handler_and_says_that_it_goes(kernel: Kernel, page: FrontEnd) -> None:
    page.ask("watch", looking=True, page="a")
    kernel.ok("%unload_ext tfmagic")
    page.pushed("unloaded")
    assert kernel.value("'tfmagic_request' in get_ipython().kernel.control_handlers") == "False"
    kernel.ok("%load_ext tfmagic")
    page.pushed("loaded")
    assert page.ask("history")["ok"]
    kernel.ok("%reload_ext tfmagic")
    page.pushed("loaded")
    assert kernel.value("get_ipython().kernel.control_handlers['tfmagic_request']._subscribers") == ""
