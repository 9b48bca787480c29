"""HTTP/1.1 straight over asyncio and httptools: the way to an upstream, at a fraction of what aiohttp costs a call.

`bench/transports.py` measures it.
"""

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import SplitResult, urlsplit

import httpx

from gateway.upstream.channel import MAX_TARGET, NO_HEADERS, Answer
from gateway.upstream.patience import Patience
from gateway.upstream.policy import Bounds
from gateway.upstream.pool import Pool

_TARGET = re.compile(r"[!-~]+")
PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class Http1Channel:
    """A channel to an address, whose connections are made when they are needed."""

    base: bytes
    host: bytes
    head: bytes = field(repr=False)
    pool: Pool
    patience: Patience

    async def send(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """Make one request and read its answer. Raises httpx's exceptions; InvalidURL for an endless target.

        ConnectError and ConnectTimeout alone say that the request never left: whoever made a change relies on that.
        """
        request = self._request(method, target, content, headers)
        late: type[httpx.TimeoutException] = httpx.ConnectTimeout
        try:
            with self.patience.wait():
                connection = self.pool.take_rested() or await self.pool.take()
                late = httpx.ReadTimeout
                try:
                    return await connection.ask(request)
                except httpx.NetworkError:
                    if method != "GET" or not connection.was_stale:
                        raise
                    connection = await self.pool.replace(connection)
                    return await connection.ask(request)
                finally:
                    self.pool.put(connection)
        except TimeoutError:
            raise late("took too long") from None

    def under(self, headers: Mapping[str, str]) -> "Http1Channel":
        """Give a channel over the same connections, under other headers."""
        return replace(self, head=self.host + _lines(*_fields(headers)))

    async def close(self) -> None:
        """Close the connections."""
        await self.pool.close()

    def _request(self, method: str, target: str, content: bytes | None, headers: Mapping[str, str]) -> bytes:
        """Write a request whole, for one system call."""
        if len(target) > MAX_TARGET or not _TARGET.fullmatch(target):
            raise httpx.InvalidURL("URL too long" if len(target) > MAX_TARGET else "URL not encoded")
        start = b"%b %b%b%b" % (method.encode(), self.base, target.encode(), self.head)
        if headers:
            start += _lines(*_fields(headers))
        if content is None and method == "GET":
            return start + b"\r\n"
        content = content or b""
        return b"%bcontent-length: %d\r\n\r\n%b" % (start, len(content), content)


def open_http1(base: str, headers: Mapping[str, str], bounds: Bounds) -> Http1Channel:
    """Open a channel to an address without a slash at its end."""
    parts = urlsplit(base)
    tls = _tls() if parts.scheme == "https" else None
    pool = Pool(parts.hostname or "", parts.port or PORTS[parts.scheme], tls, bounds)
    host = _lines(" HTTP/1.1", f"host: {_host(parts)}")
    return Http1Channel(
        parts.path.encode("ascii"), host, host + _lines(*_fields(headers)), pool, Patience(bounds.timeout)
    )


def _fields(headers: Mapping[str, str]) -> Iterator[str]:
    return (f"{name}: {value}" for name, value in headers.items())


def _lines(*lines: str) -> bytes:
    """Write lines of the head, from behind the target on."""
    if any(character in line for line in lines for character in "\r\n\0"):
        raise ValueError("A header of the upstream calls holds a line break: look at the credentials.")
    return "".join(line + "\r\n" for line in lines).encode()


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, PORTS[parts.scheme]) else f"{host}:{parts.port}"


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
