"""How answers, or the parts of one, stand one after another in an HTTP response: as events, or as its parts."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gateway.engine.incremental import Form


@dataclass(frozen=True, slots=True)
class Framing:
    """What is sent at the beginning, for each answer, in silence, and at the end of what is complete.

    `interruption` ends what is not complete, because of errors that are those of the way, not of the operation.
    """

    content_type: bytes
    opening: bytes
    answer: Callable[[bytes], bytes]
    heartbeat: bytes
    completion: bytes
    interruption: Callable[[list[dict[str, Any]]], bytes]


def _event(answer: bytes) -> bytes:
    # A line break outside a text, as an upstream's own JSON may have, would end the event.
    if b"\n" in answer or b"\r" in answer:
        answer = answer.replace(b"\n", b" ").replace(b"\r", b" ")
    return b"event: next\ndata: %b\n\n" % answer


def _payload(answer: bytes) -> bytes:
    return _part(b'{"payload":%b}' % answer)


def _part(body: bytes) -> bytes:
    # The boundary follows at once, because clients take a part for complete when they see the next.
    return b"\r\ncontent-type: application/json\r\n\r\n%b\r\n--graphql" % body


def _last_part(errors: list[dict[str, Any]]) -> bytes:
    return _part(msgspec.json.encode({"payload": None, "errors": errors})) + b"--\r\n"


# GraphQL over SSE, distinct connections. A response that ends without `complete` was interrupted.
EVENTS = Framing(
    content_type=b"text/event-stream; charset=utf-8",
    opening=b":\n\n",
    answer=_event,
    heartbeat=b":\n\n",
    completion=b"event: complete\ndata:\n\n",
    interruption=lambda _errors: b"",
)

# Apollo's protocol for subscriptions over multipart HTTP.
PARTS = Framing(
    content_type=b'multipart/mixed;boundary="graphql";subscriptionSpec=1.0',
    opening=b"\r\n--graphql",
    answer=_payload,
    heartbeat=_part(b"{}"),
    completion=b"--\r\n",
    interruption=_last_part,
)

FRAMINGS = {"text/event-stream": EVENTS, "multipart/mixed": PARTS}

# The parts of one answer: each says itself whether more follow.
_ANSWER_PARTS = replace(PARTS, answer=_part, heartbeat=_part(b'{"hasNext":true}'))
ANSWER_PARTS = {
    Form.BY_PATH: replace(_ANSWER_PARTS, content_type=b'multipart/mixed;boundary="graphql";deferSpec=20220824'),
    Form.BY_ID: replace(_ANSWER_PARTS, content_type=b'multipart/mixed;boundary="graphql";incrementalSpec=v0.2'),
}
