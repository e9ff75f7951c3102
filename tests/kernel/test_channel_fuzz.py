"""Whatever a page sends: nothing breaks, nothing runs, nothing is kept."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from kernel.cells import LINE
from kernel.front_end import FrontEnd, busy
from kernel.harness import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernel.harness import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

RUNS = "__import__('pathlib').Path('hurt').touch()"
# As JSON, for some of it no serializer would write.
ODD = [
    *("null", "true", "0", "-1", "1e400", "NaN", "Infinity", "9" * 400, '""', "[]", "{}", "[null]", '{"all": true}'),
    *(r'"\ud800"', r'"\u0000"', r'"\u202emodel\u2066"', '"<img src=x onerror=alert(1)>"', json.dumps(RUNS)),
    *('"--all"', '"*"', '"../../line"', '"__class__"', '"watch"', '"eval"', json.dumps("x" * 200_000)),
    *('{"a": ' * 200 + "1" + "}" * 200, "[" * 900 + "]" * 900, json.dumps(list(range(2000)))),
]
WHOLE = ["[" * 100_000 + "]" * 100_000, "[" * 100_000, "", "{", "null", "[]", '"park"', "{}", "\x00", '{"id": "7"']
FIELDS = ["id", "request", "model", "page", "looking", "code", "__proto__"]
REQUESTS = ["watch", "snapshot", "history", "log", "show", "placement", "trace", "park", "wake", "drop"]


def spoilt(roll: random.Random) -> bytes:
    """Return a request of a model that is not there, with some of its fields odd ones, or no object at all."""
    if roll.random() < 0.003:
        return roll.choice(WHOLE).encode()
    fields = {"id": '"7"', "request": json.dumps(roll.choice(REQUESTS)), "model": '"lin"', "page": '"p"'}
    for _ in range(roll.randint(1, 3)):
        fields[roll.choice(FIELDS)] = roll.choice(ODD)
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in fields.items()) + "}").encode()


@pytest.fixture
def page(kernel: Kernel) -> Iterator[FrontEnd]:
    front = FrontEnd(kernel)
    yield front
    front.client.stop_channels()


def send(page: FrontEnd, roll: random.Random, count: int) -> list[dict[str, Any]]:
    """Send so many malformed requests, and return what is answered before a last one is."""
    for _ in range(count):
        page.send(spoilt(roll))
    last = page.send({"id": "last", "request": "last"})
    found: list[dict[str, Any]] = []
    while True:
        message = page.client.get_control_msg(timeout=PATIENCE_S)
        if message["parent_header"]["msg_id"] == last:
            return found
        found.append(message["content"])


def rss_bytes(kernel: Kernel) -> int:
    found: int = psutil.Process(int(kernel.value("__import__('os').getpid()"))).memory_info().rss
    return found


def test_10_000_malformed_requests_break_nothing_and_run_nothing(kernel: Kernel, page: FrontEnd) -> None:
    kernel.ok(LINE)
    roll = random.Random(7)  # noqa: S311 - the same in every run
    answers = []
    for turn in range(198):
        if turn == 20:
            before = rss_bytes(kernel)
        answers += send(page, roll, 50)
        # Also that every cell is answered: what was published meanwhile is heard with it.
        assert kernel.value("1") == "1"
    assert rss_bytes(kernel) - before < 50e6
    with busy(kernel):
        answers += send(page, roll, 100)
        # Some of those before may still be being answered.
        while not (answer := page.ask("snapshot"))["ok"]:
            assert "too many requests at once" in answer["error"]
    # Each that was refused was refused for a reason, and not for an error of the kernel's side.
    refused = [answer["error"] for answer in answers if not answer["ok"]]
    assert len(refused) > 5000
    assert [error for error in refused if re.match(r"\w+(Error|Exception): ", error)] == []
    assert page.ask("show", model="line")["ok"]
    assert kernel.value("list(__import__('tfmagic').models)") == "['line']"
    assert kernel.value("__import__('tfmagic').models.line.calls") == "0"
    assert not (kernel.folder / "hurt").exists()


def test_a_panel_takes_whatever_comes_over_its_comm(kernel: Kernel) -> None:
    kernel.ok(LINE)
    kernel.ok("import tfmagic\npanel = tfmagic.Panel()")
    comm = kernel.value("panel.comm.comm_id").strip("'")
    roll = random.Random(8)  # noqa: S311 - the same in every run
    client = kernel.client

    def tell(content: bytes) -> None:
        data = b'{"comm_id": "%s", "data": {"method": "custom", "content": %s}}' % (comm.encode(), content)
        client.shell_channel.send(client.session.msg("comm_msg", data))

    for number in range(3000):
        tell(spoilt(roll))
        if number % 50 == 49:
            assert kernel.value("1") == "1"
    tell(b'{"id": "7", "request": "park", "model": "line"}')
    kernel.wait_until("tfmagic.models.line.state == 'parked'")
    assert kernel.value("list(tfmagic.models)") == "['line']"
    assert not (kernel.folder / "hurt").exists()
