"""Records as they can be sent to a page."""

from __future__ import annotations

import json
from typing import TypeVar

T = TypeVar("T")


def sendable(record: T) -> T:
    """Return a record whose text is all UTF-8: what is no character, as in the name of a file, becomes ``?``.

    Python has such text from bytes that it could not read, and ``json`` takes it; a
    message with it is lost on its way, and with it everything else that it says.
    """
    text = json.dumps(record, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        cleaned: T = json.loads(text.encode(errors="replace"))
        return cleaned
    return record
