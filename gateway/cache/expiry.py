"""When a signed URL stops working, read from its query string; nothing is ever invented.

Read in this order: CloudFront's `Policy` (the earliest `DateLessThan`), `X-Amz-Date` + `X-Amz-Expires`, `X-Goog-Date` +
`X-Goog-Expires`, Azure's `se`, `Expires` in Unix seconds or milliseconds. Names are case-insensitive.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import msgspec

MILLISECONDS_FROM = 100_000_000_000  # as seconds, the year 5138
CLOUDFRONT_BASE64 = bytes.maketrans(b"-_~", b"+=/")
_NAMES = frozenset({"policy", "x-amz-date", "x-amz-expires", "x-goog-date", "x-goog-expires", "se", "expires"})
_PARAMETER = re.compile(r"([^=&]+)=([^&]+)")


def expires_at(url: object) -> float | None:
    """Give the Unix second at which a signed URL dies; None when it does not say."""
    return first_expiry((url,))


@lru_cache(maxsize=4_096)  # pages repeat their URLs, which stay the same for days; each takes some 600 bytes here
def _expires_at(url: str) -> float | None:
    try:
        parameters = _PARAMETER.findall(_query(url))
    except ValueError:
        return None
    query = {name.lower(): unquote_plus(value) for name, value in parameters if name.lower() in _NAMES}
    for read in (_policy, _amazon, _google, _azure, _expires):
        moment = read(query)
        if moment is not None:
            return moment
    return None


def _query(url: str) -> str:
    """Find the query string. Raises ValueError for what is no URL, which only one with a bracket may be."""
    return urlsplit(url).query if "[" in url else url.partition("?")[2].partition("#")[0]


def first_expiry(urls: Iterable[object]) -> float | None:
    """Give the earliest of the expiries that the URLs tell; None when none does."""
    moments = {
        moment for url in urls if url.__class__ is str and "?" in url and (moment := _expires_at(url)) is not None
    }
    return min(moments) if moments else None


def signed_url_expiry(*urls: object) -> datetime | None:
    """Give the moment at which the first of these URLs stops working; None when they do not say."""
    moment = first_expiry(urls)
    return None if moment is None else _datetime(moment)


@lru_cache(maxsize=1_024)  # what is signed together dies together
def _datetime(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


def _policy(query: Mapping[str, str]) -> float | None:
    # The `+` of plain base64 was taken for a space; CloudFront's own alphabet has neither.
    try:
        text = query["policy"].replace(" ", "+").encode("ascii").translate(CLOUDFRONT_BASE64)
        policy = msgspec.json.decode(base64.b64decode(text + b"=" * (-len(text) % 4)))
    except (KeyError, binascii.Error, msgspec.DecodeError, UnicodeError, ValueError, RecursionError):
        return None
    return min(_epochs(policy), default=None)


def _epochs(policy: Any) -> Iterator[float]:
    statements = policy.get("Statement") if isinstance(policy, dict) else None
    for statement in statements if isinstance(statements, list) else [statements]:
        match statement:
            case {"Condition": {"DateLessThan": {"AWS:EpochTime": int() | float() as epoch}}}:
                yield from _plausible(epoch)


def _amazon(query: Mapping[str, str]) -> float | None:
    return _date_plus_seconds(query.get("x-amz-date"), query.get("x-amz-expires"))


def _google(query: Mapping[str, str]) -> float | None:
    return _date_plus_seconds(query.get("x-goog-date"), query.get("x-goog-expires"))


def _date_plus_seconds(date: str | None, seconds: str | None) -> float | None:
    if date is None or seconds is None:
        return None
    try:
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return next(_plausible(signed_at.timestamp() + int(seconds)), None)
    except (ValueError, OverflowError):
        return None


def _azure(query: Mapping[str, str]) -> float | None:
    try:
        moment = datetime.fromisoformat(query.get("se", ""))
        epoch = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp()
    except (ValueError, OverflowError):
        return None
    return next(_plausible(epoch), None)


def _expires(query: Mapping[str, str]) -> float | None:
    text = query.get("expires", "")
    if not (text.isascii() and text.isdecimal()):
        return None
    number = int(text) if len(text) < 16 else 0  # noqa: PLR2004 - longer than any millisecond count
    return next(_plausible(number / 1000 if number >= MILLISECONDS_FROM else number), None)


def _plausible(epoch: float) -> Iterator[float]:
    """Pass on what a datetime can hold, after 1970."""
    if 0 < epoch < MILLISECONDS_FROM:
        yield float(epoch)
