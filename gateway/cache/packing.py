"""How a document is written for other processes: its times and its body, compressed where that is worth it."""

import sys
import zlib

import msgspec

from gateway.cache.document import Document

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FORMAT = 1  # stands in every key: processes that write another one keep to themselves while both run
COMPRESS_FROM = 2_048  # bytes of a body
LEVEL = 1  # half a millisecond for a page of 100 assets
MOST_BYTES = 2_097_152  # of a body; a larger one would hold up everything else on its way


class Unreadable(Exception):
    """What is kept under a key is no document, or not the one of this key, or damaged."""


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    kind: str
    id: str
    fetched_at: float
    fresh_until: float
    dead_at: float
    missing: bool
    length: int
    checksum: int
    body: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Packed)


def pack(document: Document) -> bytes | None:
    """Write a document; None for one that is too large to be shared."""
    body = document.body
    if len(body) > MOST_BYTES:
        return None
    packed = _Packed(
        document.kind,
        document.id,
        document.fetched_at,
        document.fresh_until,
        document.dead_at,
        document.missing,
        len(body),
        zlib.crc32(body),
        zstd.compress(body, LEVEL) if len(body) >= COMPRESS_FROM else body,
    )
    return _encoder.encode(packed)


def unpack(key: str, data: bytes) -> Document:
    """Read the document of a key. Raises Unreadable for anything else."""
    try:
        packed = _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise Unreadable("not a document") from error
    ends = f":{packed.id}", f"/{packed.id}"  # the latter where it is kept apart, for some only
    if not key.endswith(ends) or f":{packed.kind}:" not in key:
        raise Unreadable("the document of another key")
    body = _uncompressed(packed)
    if len(body) != packed.length or zlib.crc32(body) != packed.checksum:
        raise Unreadable("a damaged body")
    return Document(
        packed.kind, packed.id, body, packed.fetched_at, packed.fresh_until, packed.dead_at, missing=packed.missing
    )


def _uncompressed(packed: _Packed) -> bytes:
    if packed.length < COMPRESS_FROM:
        return packed.body
    try:
        return zstd.ZstdDecompressor().decompress(packed.body, MOST_BYTES + 1)
    except zstd.ZstdError as error:
        raise Unreadable("a body that cannot be unpacked") from error
