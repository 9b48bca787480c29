"""Pictures made of arithmetic: PNG gradients and silhouettes, SVG, Radiance HDR."""

import struct
import zlib
from hashlib import sha256
from typing import TypeAlias

Colour: TypeAlias = tuple[int, int, int]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
FILTER_NONE = b"\0"
FILTER_UP = b"\2"
TRUECOLOUR = 2

SKIN: Colour = (233, 214, 196)
SILHOUETTE_SIZE = (240, 320)

# A standing person of height 1: bands of (top, bottom, half width at the top, half width at the bottom); the head as
# (middle, radius); limbs as (top, bottom, distance from the middle at the top, at the bottom, half width).
TORSO = ((0.21, 0.25, 0.05, 0.13), (0.25, 0.42, 0.14, 0.10), (0.42, 0.52, 0.10, 0.13))
HEAD = (0.13, 0.075)
ARMS = (0.245, 0.56, 0.14, 0.19, 0.028)
LEGS = (0.52, 0.96, 0.065, 0.075, 0.05)


def colours(name: str) -> tuple[Colour, Colour]:
    """Two colours that belong to a name, the second brighter than the first."""
    digest = sha256(name.encode()).digest()
    dark = (digest[0] // 2, digest[1] // 2, digest[2] // 2)
    return dark, (dark[0] + digest[3] // 4, dark[1] + digest[4] // 4, dark[2] + digest[5] // 4)


def gradient(name: str, width: int, height: int) -> bytes:
    """A PNG whose colours run from left to right and, in steps of one, from top to bottom; one look a name."""
    first, last = colours(name)
    row = bytes(a + (b - a) * x // width for x in range(width) for a, b in zip(first, last, strict=True))
    # Each row says only how it differs from the one above, so a large picture costs next to nothing.
    down, same = FILTER_UP + b"\1\1\1" * width, FILTER_UP + bytes(3 * width)
    steps = min(height - 1, 255 - max(last))
    rows = (down if y * steps // height > (y - 1) * steps // height else same for y in range(1, height))
    return png(width, height, b"".join((FILTER_NONE + row, *rows)))


def silhouette(name: str) -> bytes:
    """A PNG of a standing person, before a colour of the name's own."""
    width, height = SILHOUETTE_SIZE
    background, _ = colours(name)
    rows = []
    for y in range(height):
        pixels = bytearray(bytes(background) * width)
        for left, right in spans(y / height):
            start, end = round(left * height) + width // 2, round(right * height) + width // 2
            pixels[3 * start : 3 * end] = bytes(SKIN) * (end - start)
        rows.append(FILTER_NONE + pixels)
    return png(width, height, b"".join(rows))


def spans(y: float) -> list[tuple[float, float]]:
    """Where the person is at a height from 0 (top) to 1, as distances from the middle."""
    found = []
    centre, radius = HEAD
    if abs(y - centre) < radius:
        half = (radius**2 - (y - centre) ** 2) ** 0.5 * 0.8
        found.append((-half, half))
    for top, bottom, wide, narrow in TORSO:
        if top <= y < bottom:
            half = wide + (narrow - wide) * (y - top) / (bottom - top)
            found.append((-half, half))
    for top, bottom, inner, outer, half in (ARMS, LEGS):
        if top <= y < bottom:
            middle = inner + (outer - inner) * (y - top) / (bottom - top)
            found += [(middle - half, middle + half), (-middle - half, -middle + half)]
    return found


def png(width: int, height: int, scanlines: bytes) -> bytes:
    """A PNG of 8-bit RGB; each scanline begins with its filter."""
    header = struct.pack(">IIBBBBB", width, height, 8, TRUECOLOUR, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(scanlines, 1)), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(chunk(kind, data) for kind, data in chunks)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def svg(name: str, width: int, height: int) -> bytes:
    """An SVG of the two colours of a name."""
    first, last = ("#{:02x}{:02x}{:02x}".format(*colour) for colour in colours(name))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 100 100">'
        f'<rect width="100" height="100" fill="{first}"/><circle cx="50" cy="50" r="32" fill="{last}"/></svg>'
    ).encode()


def radiance(name: str) -> bytes:
    """A Radiance HDR of 16 by 8 pixels in one colour of the name's own, without run lengths."""
    _, (red, green, blue) = colours(name)
    header = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 8 +X 16\n"
    return header + bytes((red, green, blue, 128)) * (16 * 8)
