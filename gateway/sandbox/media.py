"""Sounds, documents and the sample files for the formats that take an encoder."""

import io
import math
import struct
import wave
from functools import cache
from hashlib import sha256
from importlib.resources import files

SAMPLE_RATE = 8_000
TONE_SECONDS = 0.5
WAV_SIZE = 44 + 2 * int(SAMPLE_RATE * TONE_SECONDS)


@cache
def sample(extension: str) -> bytes:
    """A small valid file, the same for every asset: avif, gif, heif, jpg, mp3, mp4, tiff or webp."""
    return (files("gateway.sandbox") / "samples" / f"sample.{extension}").read_bytes()


def wav(name: str) -> bytes:
    """Half a second of a tone of the name's own: 16 bit, mono."""
    pitch = 220 + sha256(name.encode()).digest()[0] * 2
    steps = range(int(SAMPLE_RATE * TONE_SECONDS))
    tone = (int(8_000 * math.sin(2 * math.pi * pitch * step / SAMPLE_RATE)) for step in steps)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(b"".join(struct.pack("<h", level) for level in tone))
    return buffer.getvalue()


def pdf(line: str) -> bytes:
    """A PDF of one page with one line of text."""
    stream = f"BT /F1 18 Tf 40 100 Td ({line}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 480 200] /Contents 4 0 R /Resources 6 0 R >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        "<< /Font << /F1 5 0 R >> >>",
    ]
    body, offsets = "%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return f"{body}xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode()
