"""JSON of programs that cut texts by UTF-16, or begin with a mark: half a character is none, nor is the mark."""

import codecs
import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

T = TypeVar("T")

MOST_HALVES = 10_000  # some 10 ms; more than these nobody has cut by chance

_HIGH, _LOW = rb"[89abAB][0-9a-fA-F]{2}", rb"[c-fC-F][0-9a-fA-F]{2}"
_BEGIN = rb"\\u[dD]"
_HALF = re.compile(rb"%b(?:%b(?!%b%b)|(?<!%b%b%b)%b)" % (_BEGIN, _HIGH, _BEGIN, _LOW, _BEGIN, _HIGH, _BEGIN, _LOW))
_BACKSLASH, _ASIDE = rb"\\", b"\0\0"  # what JSON writes for one, which begins nothing, and what it never holds


def is_utf8(body: bytes) -> bool:
    """Whether a body is text in UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def whole(body: bytes) -> bytes:
    """Put the sign of what cannot be shown in the place of each half, of so many at most, and leave out a mark."""
    body = body.removeprefix(codecs.BOM_UTF8)
    if b"\0" in body:
        return body
    return _HALF.sub(rb"\\ufffd", body.replace(_BACKSLASH, _ASIDE), MOST_HALVES).replace(_ASIDE, _BACKSLASH)


def read_whole(read: Callable[[bytes], T], body: bytes) -> T:
    """Give what is read of a body, where it cannot be read as it came of the `whole` one. Raises what `read` does."""
    try:
        return read(body)
    except msgspec.DecodeError:
        mended = whole(body)
        if mended == body:
            raise
        return read(mended)
