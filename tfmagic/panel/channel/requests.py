"""The requests that a page may send: a fixed list, each checked; nothing in them is ever evaluated."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from tfmagic.errors import TfMagicError, did_you_mean
from tfmagic.model.registry import the_models
from tfmagic.panel.snapshot.memory_history import history
from tfmagic.panel.snapshot.snapshot import snapshot
from tfmagic.panel.views.sentences import dropped_text, parked_text, woken_text
from tfmagic.runtime.custom_ops.libraries_report import libraries_record
from tfmagic.runtime.native_log.log import native_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.model.tracing.placement import PlacementRecord

T = TypeVar("T")

SCHEMA = 1

# More would be slow to send and to draw; the reply also has the total.
_OPERATIONS = 2000
_LONGEST = 200
_LONGEST_ERROR = 2000


class Reply(TypedDict):
    """The answer to one request.

    Attributes
    ----------
    id
        The request's own.
    ok
        Whether it was done.
    result
        A record, where one was asked for.
    said
        What was done, in a sentence or a few lines.
    error
        Why it was not done, in a line.
    """

    schema: int
    id: str
    ok: bool
    result: Any
    said: str | None
    error: str | None


def answer(message: object) -> Reply:
    """Answer a message such as ``{"id": "7", "request": "park", "model": "digits"}``; the reply says what is wrong."""
    identity = short_text(message, "id")
    if not isinstance(message, dict):
        return reply(identity, error="a request is an object with an id and a request")
    name = message.get("request")
    try:
        if not isinstance(name, str) or name not in REQUESTS:
            unknown = short_text(message, "request")
            hint = did_you_mean(unknown, REQUESTS) or f"; there are: {', '.join(REQUESTS)}"
            return reply(identity, error=f"there is no request {unknown!r}{hint}")
        model = message.get("model")
        result, sentence = REQUESTS[name](model if isinstance(model, str) else "")
    except TfMagicError as error:
        return reply(identity, error=str(error)[:_LONGEST_ERROR])
    except Exception as error:
        logging.getLogger("tfmagic").exception("a request of the panel failed")
        return reply(identity, error=f"{type(error).__name__}: {error}"[:_LONGEST_ERROR])
    return reply(identity, result=result, said=sentence)


def short_text(message: object, field: str) -> str:
    """Return the beginning of a field's text; empty where it has none."""
    text = message.get(field) if isinstance(message, dict) else None
    return text[:_LONGEST] if isinstance(text, str) else ""


def reply(identity: str, *, result: Any = None, said: str | None = None, error: str | None = None) -> Reply:
    """Return a reply; one with an error says that nothing was done."""
    return {"schema": SCHEMA, "id": identity, "ok": error is None, "result": result, "said": said, "error": error}


def sendable(record: T) -> T:
    """Return a record whose text is all UTF-8: a lone surrogate, as Python makes of undecodable bytes, becomes ``?``.

    ``json`` accepts surrogates, but a message that holds one is lost on its way.
    """
    text = json.dumps(record, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        cleaned: T = json.loads(text.encode(errors="replace"))
        return cleaned
    return record


def _placement(name: str) -> PlacementRecord:
    from tfmagic.model.running.placement_probe import placement

    return placement(the_models()[name].caller, most=_OPERATIONS)


def _trace(name: str) -> tuple[PlacementRecord, str]:
    from tfmagic.model.running.placement_probe import probe

    model = the_models()[name]
    woken = "was woken, " if model.state == "parked" else "was "
    probe(model.caller)
    return _placement(name), f"{name} {woken}run once on zeros and traced"


# From the name of a model, empty where none was given, to a record, and a sentence on what was done.
REQUESTS: dict[str, Callable[[str], tuple[Any, str | None]]] = {
    "snapshot": lambda _: (snapshot(), None),
    "history": lambda _: (history().record(), None),
    "libraries": lambda _: (libraries_record(), None),
    "log": lambda _: (native_log().record(), None),
    "show": lambda name: (the_models()[name].record(), None),
    "placement": lambda name: (_placement(name), None),
    "trace": _trace,
    "park": lambda name: (None, parked_text(the_models()[name].park())),
    "wake": lambda name: (None, woken_text(the_models()[name].wake())),
    "drop": lambda name: (None, dropped_text(the_models().drop(name))),
}
