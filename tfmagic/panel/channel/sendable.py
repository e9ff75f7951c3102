"""Records as they can be sent to a page."""

from __future__ import annotations

import json
from typing import TypeVar

T = TypeVar("T")


def sendable(record: T) -> T:
    """Return a record whose text is all UTF-8: a lone surrogate, as in the name of a file, becomes ``?``.

    Python makes surrogates of bytes that it cannot decode, and ``json`` accepts them,
    but the message that holds one is lost on its way.
    """
    text = json.dumps(record, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        cleaned: T = json.loads(text.encode(errors="replace"))
        return cleaned
    return record
