"""The way to one API: an httpx transport, called directly, since a client object costs more than a local call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from gateway import __version__

BASE_HEADERS: Mapping[str, str] = {
    "accept-encoding": "gzip, deflate",
    "connection": "keep-alive",
    "user-agent": f"scan-gateway/{__version__}",
}

MAX_TARGET = 65_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Channel:
    """Sends requests to one base address with the same headers; follows no redirect and keeps no cookie."""

    base: httpx.URL
    headers: httpx.Headers = field(repr=False)
    transport: httpx.AsyncBaseTransport
    extensions: dict[str, Any]

    async def send(self, method: str, target: str, content: bytes | None) -> Answer:
        """Make one request and read its answer. Raises what httpx's transports raise."""
        request = httpx.Request(
            method, self._url(target), headers=self.headers, content=content, extensions=self.extensions
        )
        response = await self.transport.handle_async_request(request)
        try:
            return Answer(response.status_code, response.headers, await _body(response))
        finally:
            await response.aclose()

    def _url(self, target: str) -> httpx.URL:
        """Put a target behind the base address, both of which are encoded: parsing them again costs 20 µs a call."""
        if len(target) > MAX_TARGET:
            raise httpx.InvalidURL("URL too long")
        path, _, query = target.partition("?")
        url = httpx.URL(self.base)
        parts = self.base._uri_reference  # noqa: SLF001 - httpx has no other way to make a URL of known parts
        url._uri_reference = parts._replace(path=parts.path.rstrip("/") + path, query=query or None)  # noqa: SLF001 - the same
        return url

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.aclose()


async def _body(response: httpx.Response) -> bytes:
    """Read a body as it comes, and by way of httpx's decoders only where it is encoded."""
    if "content-encoding" in response.headers or not isinstance(response.stream, httpx.AsyncByteStream):
        return await response.aread()
    return b"".join([part async for part in response.stream])


def open_channel(
    base_url: str, headers: Mapping[str, str], timeout: float, transport: httpx.AsyncBaseTransport | None = None
) -> Channel:
    """Open a way to an API; without a transport over the network, by the proxy that the environment names."""
    url = base_url.rstrip("/")
    return Channel(
        httpx.URL(url),
        httpx.Headers({**BASE_HEADERS, **headers}),
        transport or httpx.AsyncHTTPTransport(proxy=_proxy(url)),
        {"timeout": httpx.Timeout(timeout).as_dict()},
    )


def _proxy(url: str) -> str | None:
    """Find the proxy for an address in the environment, as most programs do."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
