"""Who may come in over HTTP: by which host's name, from which pages, and in what way a GET shows that it is meant.

Everything is decided by the bytes of a request, so an answer may be repeated to the same bytes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from gateway.errors import FORBIDDEN
from gateway.http.negotiation import JSON_TYPE, Accepted
from gateway.http.refusal import Refusal

# A browser sends none of these for a page of another site, unless this gateway has told it that it may.
PREFLIGHTED = (b"graphql-require-preflight", b"apollo-require-preflight", b"x-apollo-operation-name")
SCRIPTED = (b"cors", b"same-origin")  # no script can write this header; who sends it tells of other sites too
MAX_PREFLIGHT_AGE = 7_200  # seconds; as long as Chromium believes it

CROSS_SITE = "Pages of other sites may not ask by GET; GATEWAY_ORIGINS names the origins of those that may."
NOT_MEANT = (
    "A GET is executed only with an Accept that names application/graphql-response+json, application/json or a stream,"
    " or with `graphql-require-preflight: true`, for any page can make a browser send it without."
)


@dataclass(frozen=True, slots=True)
class Door:
    """The hosts by whose names the gateway is asked, any without them, and the origins whose pages may ask."""

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def check_host(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse what is meant for another host, as a page's whose own name was pointed here. Raises Refusal."""
        if self.hosts and host_of(headers.get(b"host", b"")) not in self.hosts:
            raise Refusal(421, "The gateway is not asked by this host name.", code=FORBIDDEN)

    def check_reading(self, headers: Mapping[bytes, bytes], takes: Accepted) -> None:
        """Refuse to execute a GET that another site's page may have made a browser send. Raises Refusal."""
        if headers.get(b"sec-fetch-site") == b"cross-site" and not self._knows(headers.get(b"origin")):
            raise Refusal(403, CROSS_SITE, code=FORBIDDEN)
        if not (takes.is_named or _is_meant(headers)):
            raise Refusal(403, NOT_MEANT, code=FORBIDDEN)

    def speaks_with(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a browser is told in the answer's headers what it may show, which `open_to` does."""
        return bool(self.origins) and b"origin" in headers

    @property
    def headers(self) -> bytes:
        """What `open_to` says in the head of an answer to who names no origin, in lines."""
        return b"vary: Origin\r\n" if self.origins else b""

    def _knows(self, origin: bytes | None) -> bool:
        return origin is not None and ("*" in self.origins or origin.decode("latin-1") in self.origins)

    def open_to(self, app: ASGIApp, methods: Iterable[str]) -> ASGIApp:
        """Let browsers show the answers to pages of these origins."""
        if not self.origins:
            return app
        return CORSMiddleware(
            app,
            allow_origins=sorted(self.origins),
            allow_methods=list(methods),
            allow_headers=["*"],
            expose_headers=["etag", "x-request-id", "retry-after", "ratelimit", "ratelimit-policy"],
            max_age=MAX_PREFLIGHT_AGE,
        )


def host_of(header: bytes) -> str:
    """Give the name in a Host header, without its port."""
    name, _, port = header.decode("latin-1").lower().rpartition(":")
    return name if name and port.isdigit() else header.decode("latin-1").lower()


def _is_meant(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a script asks, and no element or link: one of this site, or one that a browser has asked us about."""
    if headers.get(b"sec-fetch-mode") in SCRIPTED or _is_json(headers.get(b"content-type")):
        return True
    return any(name in headers for name in PREFLIGHTED)


def _is_json(content_type: bytes | None) -> bool:
    return content_type is not None and content_type.partition(b";")[0].strip().lower() == JSON_TYPE.encode()
