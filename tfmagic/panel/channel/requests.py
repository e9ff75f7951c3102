"""The requests that a page may send: a fixed list, each checked; nothing in them is ever evaluated."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.errors import TfMagicError, did_you_mean
from tfmagic.model.registry import the_models
from tfmagic.panel.snapshot.memory_history import history
from tfmagic.panel.snapshot.snapshot import snapshot
from tfmagic.panel.views.sentences import dropped_text, parked_text, woken_text
from tfmagic.runtime.custom_ops.libraries_report import libraries_record
from tfmagic.runtime.native_log.log import native_log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    identity = identity_of(message)
    if not isinstance(message, dict):
        return reply(identity, error="a request is an object with an id and a request")
    name = message.get("request")
    try:
        if not isinstance(name, str) or name not in REQUESTS:
            unknown = short_text(message, "request")
            hint = did_you_mean(unknown, REQUESTS) or f"; there are: {', '.join(REQUESTS)}"
            return reply(identity, error=f"there is no request {unknown!r}{hint}")
        result, sentence = REQUESTS[name](message)
    except TfMagicError as error:
        return reply(identity, error=str(error)[:_LONGEST_ERROR])
    except Exception as error:
        logging.getLogger("tfmagic").exception("a request of the panel failed")
        return reply(identity, error=f"{type(error).__name__}: {error}"[:_LONGEST_ERROR])
    return reply(identity, result=result, said=sentence)


def identity_of(message: object) -> str:
    """Return the id of a message; empty where it has none."""
    return short_text(message, "id")


def short_text(message: object, field: str) -> str:
    """Return the beginning of a field's text; empty where it has none."""
    text = message.get(field) if isinstance(message, dict) else None
    return text[:_LONGEST] if isinstance(text, str) else ""


def reply(identity: str, *, result: Any = None, said: str | None = None, error: str | None = None) -> Reply:
    """Return a reply; one with an error says that nothing was done."""
    return {"schema": SCHEMA, "id": identity, "ok": error is None, "result": result, "said": said, "error": error}


Answer = tuple[Any, str | None]


def _snapshot(_: Mapping[str, Any]) -> Answer:
    return snapshot(), None


def _history(_: Mapping[str, Any]) -> Answer:
    return history().record(), None


def _libraries(_: Mapping[str, Any]) -> Answer:
    return libraries_record(), None


def _log(_: Mapping[str, Any]) -> Answer:
    return native_log().record(), None


def _show(message: Mapping[str, Any]) -> Answer:
    return the_models()[_model(message)].record(), None


def _placement(message: Mapping[str, Any]) -> Answer:
    from tfmagic.model.running.placement_probe import placement

    return placement(the_models()[_model(message)].caller, most=_OPERATIONS), None


def _trace(message: Mapping[str, Any]) -> Answer:
    from tfmagic.model.running.placement_probe import placement, probe

    model = the_models()[_model(message)]
    woken = "was woken, " if model.state == "parked" else "was "
    probe(model.caller)
    return placement(model.caller, most=_OPERATIONS), f"{model.name} {woken}run once on zeros and traced"


def _park(message: Mapping[str, Any]) -> Answer:
    return None, parked_text(the_models()[_model(message)].park())


def _wake(message: Mapping[str, Any]) -> Answer:
    return None, woken_text(the_models()[_model(message)].wake())


def _drop(message: Mapping[str, Any]) -> Answer:
    return None, dropped_text(the_models().drop(_model(message)))


def _model(message: Mapping[str, Any]) -> str:
    name = message.get("model")
    return name if isinstance(name, str) else ""


REQUESTS: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
    "snapshot": _snapshot,
    "history": _history,
    "libraries": _libraries,
    "log": _log,
    "show": _show,
    "placement": _placement,
    "trace": _trace,
    "park": _park,
    "wake": _wake,
    "drop": _drop,
}
