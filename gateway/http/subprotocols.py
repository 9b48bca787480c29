"""The words of GraphQL over WebSocket: the subprotocols, their messages, and the codes that close a connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import msgspec

from gateway.http.operation import Operation

MAX_REASON_BYTES = 123  # what a frame that closes has room for


@dataclass(frozen=True, slots=True)
class Subprotocol:
    """What the messages about one operation are called.

    Only `has_pings` knows pings among its messages; only where it `refuses` does a message say that an operation is
    refused, elsewhere an answer does.
    """

    name: str
    begin: str
    end: str
    answer: str
    has_pings: bool
    refuses: bool


TRANSPORT_WS = Subprotocol("graphql-transport-ws", "subscribe", "complete", "next", has_pings=True, refuses=True)
LEGACY_WS = Subprotocol("graphql-ws", "start", "stop", "data", has_pings=False, refuses=False)


class CloseCode(IntEnum):
    """Why a connection is closed; clients of the protocols know each, and go on elsewhere after the first two."""

    RESTARTING = 1012
    TRY_LATER = 1013
    DONE = 1000
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    UNKNOWN_SUBPROTOCOL = 4406
    INIT_TIMEOUT = 4408
    ID_IN_USE = 4409
    TOO_MANY_INITS = 4429


class Closing(Exception):
    """A connection is to be closed."""

    def __init__(self, code: CloseCode, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore")


class Message(msgspec.Struct, frozen=True):
    """What a client says."""

    type: str
    id: str | None = None
    payload: dict[str, Any] | None = None


def chosen(offered: Sequence[str], spoken: Sequence[Subprotocol]) -> Subprotocol | None:
    """Choose the first that the client offers and the gateway speaks."""
    by_name = {one.name: one for one in spoken}
    return next((by_name[name] for name in offered if name in by_name), None)


def read_message(text: str | bytes) -> Message:
    """Read what a client says. Raises Closing for what is no message; the reason shows nothing of it."""
    try:
        return msgspec.json.decode(text, type=Message)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _bad(str(error)) from error
    except RecursionError as error:
        raise _bad("it is nested too deeply") from error


def read_operation(message: Message) -> tuple[str, Operation]:
    """Take the id and the operation out of a message that begins one. Raises Closing where either is missing."""
    if not message.id:
        raise _bad("it has no `id`")
    try:
        operation = msgspec.convert(message.payload, Operation)
    except msgspec.ValidationError as error:
        raise _bad(f"{error} in `payload`") from error
    if operation.query is None and operation.document_id is None and not operation.extensions:
        raise _bad("its `payload` has no `query`")
    return message.id, operation


def write(type_: str, id_: str | None = None, payload: bytes | None = None) -> str:
    """Write a message; the payload is JSON already."""
    parts = [b'"type":' + msgspec.json.encode(type_)]
    if id_ is not None:
        parts.append(b'"id":' + msgspec.json.encode(id_))
    if payload is not None:
        parts.append(b'"payload":' + payload)
    return (b"{" + b",".join(parts) + b"}").decode()


class _Refused(msgspec.Struct):
    errors: msgspec.Raw
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def errors_of(answer: bytes) -> bytes | None:
    """Give the errors of an answer that has no data, because its operation was refused; None for any other."""
    if answer.startswith(b'{"data":'):
        return None
    refused = msgspec.json.decode(answer, type=_Refused)
    return bytes(refused.errors) if refused.data is msgspec.UNSET else None


def _bad(why: str) -> Closing:
    return Closing(CloseCode.BAD_MESSAGE, f"Invalid message: {why}.")
