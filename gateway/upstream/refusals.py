"""What an upstream's refusal says, from JSON of any shape, text or nothing, without secrets; and how long to wait."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from gateway.upstream.characters import read_whole

MAX_MESSAGE = 300
MAX_DEPTH = 8
MESSAGE_KEYS = ("message", "msg", "error", "reason", "details", "errors", "errorSlug", "code")
_QUERY = re.compile(r"\?[^\s\"'<>]+")


def read_message(body: bytes, secrets: Iterable[str] = ()) -> str | None:
    """Give the first line of what a refusal says, at most 300 characters; None for HTML, XML, broken JSON or nothing.

    Query strings, which may be signatures, and the given secrets are left out.
    """
    text = (_first_text(_decode(body)) or "").strip()
    if text.startswith(("<", "{")):
        return None
    line = re.split(r"[\r\n]", text, maxsplit=1)[0]
    return _clean(line, secrets)[:MAX_MESSAGE].strip() or None


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Give the seconds to wait, from `retry-after-ms` or `Retry-After` as seconds or a date; None when neither says."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _decode(body: bytes) -> Any:
    try:
        return read_whole(msgspec.json.decode, body)
    except RecursionError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8-sig", errors="replace")


def _first_text(value: Any, depth: int = MAX_DEPTH) -> str | None:
    """Find the message in a decoded body: text itself, the first of a list, or under one of the known keys."""
    match value:
        case str():
            return value or None
        case list() if depth:
            return "; ".join(text for item in value[:5] if (text := _first_text(item, depth - 1))) or None
        case dict() if depth:
            return next((text for key in MESSAGE_KEYS if (text := _first_text(value.get(key), depth - 1))), None)
    return None


def _clean(text: str, secrets: Iterable[str]) -> str:
    for secret in sorted(filter(None, secrets), key=len, reverse=True):  # one may be the beginning of another
        text = text.replace(secret, "[redacted]")
    text = _QUERY.sub("", text)[: 2 * MAX_MESSAGE]
    return "".join(character for character in text if character.isprintable())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
