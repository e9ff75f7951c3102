"""What a page may ask, and what it is told when it asks for anything else."""

from __future__ import annotations

import json
import os
import random
import string
from typing import Any

import numpy as np
import pytest
from factories import scale_graph, v1, variable_graph
from page_schema import check

from tfmagic import models
from tfmagic.panel.channel.requests import REQUESTS, answer, sendable


def ask(request: str, **fields: Any) -> Any:
    reply = answer({"id": "7", "request": request, **fields})
    check(reply, "Reply")
    assert reply["id"] == "7"
    return reply


@pytest.fixture(autouse=True)
def _a_model() -> None:
    graph, _, _ = scale_graph(2.0)
    models.add("net", graph)


def test_park_and_wake_and_drop_do_what_the_magics_do() -> None:
    assert ask("park", model="net")["said"].startswith("net: parked")
    assert models.net.state == "parked"
    assert ask("wake", model="net")["ok"]
    assert models.net.state == "ready"
    assert "net" in ask("drop", model="net")["said"]
    assert list(models) == []


def test_a_trace_shows_where_it_ran() -> None:
    reply = ask("trace", model="net")
    check(reply["result"], "PlacementRecord")
    assert {one["actual"] for one in reply["result"]["operations"]} == {"CPU:0"}
    assert models.net.trace is not None


def test_a_trace_says_that_it_woke_the_model() -> None:
    models.net.park()
    assert ask("trace", model="net")["said"] == "net was woken, run once on zeros and traced"


def test_placement_history_and_show_are_records() -> None:
    check(ask("placement", model="net")["result"], "PlacementRecord")
    check(ask("history")["result"], "HistoryRecord")
    assert ask("show", model="net")["result"]["name"] == "net"


def test_what_cannot_be_done_is_one_line() -> None:
    assert ask("park", model="nat")["error"] == "there is no model 'nat' (did you mean 'net'?)"
    graph, w = variable_graph(1.0)
    with graph.as_default():
        v1.identity(w.assign_add(1.0), name="y")
    models.add("writing", graph, outputs="y")
    reply = ask("trace", model="writing")
    assert not reply["ok"]
    assert "a run changes its variables" in reply["error"]


@pytest.mark.parametrize(
    "message",
    [
        None,
        "park",
        [],
        {},
        {"id": 5},
        {"id": "7", "request": "eval", "code": "1/0"},
        {"id": "7", "request": ["park"], "model": "net"},
        {"id": "7", "request": "__class__"},
        {"id": "7", "request": "drop", "model": None},
        {"id": "7", "request": "drop", "model": {"all": True}},
        {"id": "7", "request": "drop", "model": "--all"},
        {"id": "x" * 100_000, "request": "y" * 100_000},
    ],
)
def test_anything_else_is_refused_and_changes_nothing(message: Any) -> None:
    reply = answer(message)
    check(reply, "Reply")
    assert not reply["ok"]
    assert reply["error"]
    assert len(str(reply)) < 2000
    assert list(models) == ["net"]


@pytest.mark.slow
def test_ten_thousand_malformed_messages_change_nothing() -> None:
    chance = random.Random(5)  # noqa: S311 - for a test

    def thing(depth: int = 0) -> Any:
        kind = chance.randrange(9 if depth < 3 else 6)
        if kind == 0:
            return "".join(chance.choices(string.printable, k=chance.randrange(30)))
        if kind == 1:
            return chance.choice([*REQUESTS, "drop", "net", "id", "request", "model", "__import__('os')"])
        if kind in {2, 3}:
            return chance.choice([None, True, False, 0, -1, 1e308, float("nan"), 2**70])
        if kind in {4, 5}:
            return chance.choice(["", "\0", "\ud800", "a" * 5000])
        if kind == 6:
            return [thing(depth + 1) for _ in range(chance.randrange(4))]
        keys = chance.choices(["id", "request", "model", "looking", "\0", "x"], k=chance.randrange(5))
        return {key: thing(depth + 1) for key in keys}

    harmless = {"history", "show", "placement", "trace", "park", "wake"}
    for _ in range(10_000):
        message = thing()
        if isinstance(message, dict) and message.get("model") == "net" and message.get("request") not in harmless:
            message["model"] = "nobody"
        reply = answer(message)
        assert isinstance(reply["ok"], bool)
    assert list(models) == ["net"]
    assert (models.net(np.ones(2, np.float32)) == 2).all()


def test_what_is_no_character_becomes_a_question_mark() -> None:
    path = os.fsdecode(b"/models/caf\xe9")
    record = {"models": [{"source": path, "last_error": "bad \ud800 text", "calls": 2}]}
    found = sendable(record)
    assert found == {"models": [{"source": "/models/caf?", "last_error": "bad ? text", "calls": 2}]}
    assert json.dumps(found, ensure_ascii=False).encode()


def test_text_in_any_script_is_as_it_was() -> None:
    record = {"names": ["é", "名", "\u202eabc", "a\x00b", '"\\ud800"']}
    assert sendable(record) is record
