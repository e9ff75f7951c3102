"""What a page is sent can be sent."""

from __future__ import annotations

import json
import os

from tfmagic.panel.channel.sendable import sendable


def test_what_is_no_character_becomes_a_question_mark() -> None:
    path = os.fsdecode(b"/models/caf\xe9")
    record = {"models": [{"source": path, "last_error": "bad \ud800 text", "calls": 2}]}
    found = sendable(record)
    assert found == {"models": [{"source": "/models/caf?", "last_error": "bad ? text", "calls": 2}]}
    assert json.dumps(found, ensure_ascii=False).encode()


def test_text_in_any_script_is_as_it_was() -> None:
    record = {"names": ["é", "名", "\u202eabc", "a\x00b", '"\\ud800"']}
    assert sendable(record) is record
