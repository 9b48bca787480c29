"""Large answers made smaller, in what the client takes of zstd and gzip."""

import asyncio
import sys
import zlib
from collections.abc import Callable
from functools import lru_cache

from gateway.http.negotiation import MAX_HEADER_BYTES, WORDINGS, weights
from gateway.http.reply import Header

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZSTD_LEVEL = 3
GZIP_LEVEL = 4
VARY = (b"vary", b"accept-encoding")
GZIP_FORMAT = 16 + zlib.MAX_WBITS
THREAD_FROM = 500_000  # bytes that take some milliseconds, in which other requests need not wait


def _zstd(body: bytes) -> bytes:
    return zstd.compress(body, ZSTD_LEVEL)


def _gzip(body: bytes) -> bytes:
    return zlib.compress(body, GZIP_LEVEL, GZIP_FORMAT)


CODINGS: dict[bytes, Callable[[bytes], bytes]] = {b"zstd": _zstd, b"gzip": _gzip}  # the preferred one first


async def compressed(body: bytes, accepts: bytes | None, headers: list[Header]) -> bytes:
    """Compress a body as a request's `Accept-Encoding` wants it, and say so in the headers of the answer.

    A very large one is compressed in a thread: both libraries let others run meanwhile.
    """
    headers.append(VARY)
    coding = taken(accepts)
    if coding is None:
        return body
    headers.append((b"content-encoding", coding))
    if len(body) < THREAD_FROM:
        return CODINGS[coding](body)
    return await asyncio.to_thread(CODINGS[coding], body)


def taken(header: bytes | None) -> bytes | None:
    """Choose a coding by the `Accept-Encoding` of a request; None where none is taken, or none is preferred."""
    return _taken(header) if header and len(header) <= MAX_HEADER_BYTES else None


@lru_cache(maxsize=WORDINGS)
def _taken(header: bytes) -> bytes | None:
    given = weights(header)
    others = given.get("*", 0.0)
    offered = {coding: given.get(coding.decode(), others) for coding in CODINGS}
    best = max(offered, key=offered.__getitem__)  # the first of several
    return best if offered[best] > 0 and offered[best] >= given.get("identity", 0.0) else None
