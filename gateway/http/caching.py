"""What HTTP caches are told of an answer, and what a request says about kept ones.

A GET is told how long its answer is fresh and by which tag to ask again. A POST is told the same where the client shows
that it caches, by `Cache-Control` or `If-None-Match` in the request.
"""

import math
import re
from collections.abc import Mapping
from hashlib import blake2b

from gateway.auth.caller import Caller
from gateway.auth.pass_through import OWN_HEADERS
from gateway.engine.answer import Answer
from gateway.http.reply import NO_STORE, Header

VARY = (b"vary", b"accept, authorization")
VARY_BY_OWN = (b"vary", b"accept, " + b", ".join(OWN_HEADERS))
_MAX_AGE = re.compile(rb"max-age=(\d{1,9})")


def is_wanted(method: str, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request's answer says how it may be cached."""
    return method != "POST" or b"cache-control" in headers or b"if-none-match" in headers


def max_age(header: bytes) -> float:
    """Read how old, by `Cache-Control`, a kept document may be: in seconds, 0 for `no-cache`, else without an end."""
    directives = [directive.strip().lower() for directive in header.split(b",")]
    if b"no-cache" in directives:
        return 0
    ages = [int(found[1]) for one in directives if (found := _MAX_AGE.fullmatch(one))]
    return min(ages, default=math.inf)


def headers_of(answer: Answer, now: float, caller: Caller) -> list[Header]:
    """Write how an answer may be kept from `now` on, in Unix seconds: not at all with errors, or of a change.

    The tag is weak: it stands for the JSON, however that is compressed.
    """
    vary = VARY if caller.own is None else VARY_BY_OWN
    if not answer.cacheable:
        return [NO_STORE, vary]
    tag = blake2b(answer.body, digest_size=12).hexdigest()
    return [(b"cache-control", _cache_control(answer.fresh_until - now)), (b"etag", b'W/"%s"' % tag.encode()), vary]


def _cache_control(fresh_for: float) -> bytes:
    """Say how long; with less than a second left, or no document that could tell, that it must be asked for again."""
    return b"private, max-age=%d" % fresh_for if 1 <= fresh_for < math.inf else b"private, no-cache"


def is_known(headers: Mapping[bytes, bytes], caching: list[Header]) -> bool:
    """Whether the client has the answer already, by its tag."""
    given = headers.get(b"if-none-match")
    if given is None:
        return False
    tag = dict(caching).get(b"etag")
    return tag is not None and (given.strip() == b"*" or tag[2:] in re.findall(rb'"[^"]*"', given))
