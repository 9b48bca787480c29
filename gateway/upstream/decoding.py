"""Bodies as they were before their content codings, within a bound: few bytes may unpack to more than memory holds."""

import zlib

import httpx

MAX_MEMBERS = 100

_GZIP = zlib.MAX_WBITS | 16
_PACKED = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}


class TooLarge(httpx.DecodingError):
    """More came than is taken, or would be there once it is unpacked."""


def decode_answer(status: int, body: bytes, coding: str, most: int) -> bytes:
    """Undo the codings of an answer. One that is no success, and not packed as it says, keeps its status alone.

    Raises DecodingError for a success, TooLarge for any.
    """
    try:
        return decode(body, coding, most)
    except TooLarge:
        raise
    except httpx.DecodingError:
        if httpx.codes.is_success(status):
            raise
        return b""


def decode(body: bytes, coding: str, most: int) -> bytes:
    """Undo the codings of a `Content-Encoding`, up to one that is unknown.

    Raises DecodingError, TooLarge where it would be more than `most` bytes.
    """
    for name in reversed(coding.lower().split(",")):
        window = _PACKED.get(name.strip())
        if window is None or not body:
            return body
        body = _inflate(body, window if window == _GZIP or _has_zlib_head(body) else -window, most)
    return body


def _inflate(packed: bytes, window: int, most: int) -> bytes:
    """Unpack the members that a body consists of: one as a rule."""
    parts, room = [], most
    for _ in range(MAX_MEMBERS):
        member = zlib.decompressobj(window)
        try:
            parts.append(member.decompress(packed, room + 1))
        except zlib.error:
            raise httpx.DecodingError("not compressed as it says") from None
        room -= len(parts[-1])
        if room < 0:
            raise TooLarge("too large when it is unpacked")
        if not member.eof:
            raise httpx.DecodingError("compressed, and cut short")
        packed = member.unused_data
        if not packed:
            return parts[0] if len(parts) == 1 else b"".join(parts)
    raise httpx.DecodingError("compressed in too many pieces")


def _has_zlib_head(body: bytes) -> bool:
    """Tell the format that `deflate` names from the bare stream that some servers send (RFC 9110, 8.4.1.2)."""
    return body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
