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


@dataclass(slots=True)
class Channel:
    """Sends requests to one base address with the same headers; follows no redirect and keeps no cookie."""

    base_url: str
    headers: httpx.Headers = field(repr=False)
    transport: httpx.AsyncBaseTransport
    extensions: dict[str, Any]

    async def send(self, method: str, target: str, content: bytes | None) -> httpx.Response:
        """Make one request and read its answer. Raises what httpx's transports raise."""
        request = httpx.Request(
            method, self.base_url + target, headers=self.headers, content=content, extensions=self.extensions
        )
        response = await self.transport.handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response

    async def close(self) -> None:
        """Close the connections."""
        await self.transport.aclose()


def open_channel(
    base_url: str, headers: Mapping[str, str], timeout: float, transport: httpx.AsyncBaseTransport | None = None
) -> Channel:
    """Open a way to an API; without a transport over the network, by the proxy that the environment names."""
    url = base_url.rstrip("/")
    return Channel(
        url,
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
