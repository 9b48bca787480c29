"""What processes tell each other: that something was changed, dropped, found or left."""

from typing import Literal

import msgspec

Verb = Literal["drop", "forget", "generation", "found", "changed", "vacant"]


class News(msgspec.Struct, array_like=True, frozen=True):
    """One message: who says what of which key; `value` is the generation of a kind, and else empty."""

    sender: str
    verb: Verb
    key: str
    value: str = ""


_decoder = msgspec.msgpack.Decoder(News)
write_news = msgspec.msgpack.Encoder().encode


def read_news(message: bytes) -> News | None:
    """Read a message; None for one that is none, or that a later version sends."""
    try:
        return _decoder.decode(message)
    except msgspec.MsgspecError:
        return None
