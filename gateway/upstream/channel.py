"""The way to one API: requests in, whole answers out, over the network or over any httpx transport."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import httpx
import msgspec

from gateway import __version__
from gateway.upstream.patience import Patience
from gateway.upstream.policy import Bounds

BASE_HEADERS: Mapping[str, str] = {"accept-encoding": "gzip, deflate", "user-agent": f"scan-gateway/{__version__}"}

MAX_TARGET = 65_000
NO_HEADERS: Mapping[str, str] = {}


class Answer(msgspec.Struct, frozen=True):
    """What came back, whole; the names of its `headers` are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Channel(Protocol):
    """Sends requests to one base address with the same headers; follows no redirect and keeps no cookie."""

    async def send(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """Make one request, with headers of its own, and read its answer within the channel's patience.

        Raises httpx's exceptions, whatever is underneath.
        """

    async def close(self) -> None:
        """Close the connections."""


class Way(Channel, Protocol):
    """A channel beside which there may be others, over the same connections, under other headers."""

    def under(self, headers: Mapping[str, str]) -> Channel:
        """Give one. Its connections are this channel's, who closes them."""


@dataclass(slots=True)
class HttpxChannel:
    """A channel over an httpx transport, called directly: a client object costs more than a local call."""

    base: httpx.URL
    headers: httpx.Headers = field(repr=False)
    transport: httpx.AsyncBaseTransport
    extensions: dict[str, Any]
    patience: Patience

    async def send(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """Make one request and read its answer. Raises what httpx's transports raise."""
        every = {**self.headers, **headers} if headers else self.headers
        request = httpx.Request(method, self._url(target), headers=every, content=content, extensions=self.extensions)
        try:
            with self.patience.wait():
                return await self._exchange(request)
        except TimeoutError:
            raise httpx.ReadTimeout("took too long") from None

    async def _exchange(self, request: httpx.Request) -> Answer:
        response = await self.transport.handle_async_request(request)
        try:
            return Answer(response.status_code, response.headers, await _body(response))
        finally:
            await response.aclose()

    def under(self, headers: Mapping[str, str]) -> "HttpxChannel":
        """Give a channel over the same transport, under other headers."""
        return replace(self, headers=httpx.Headers(headers))

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
    """Read a body as it comes, and by way of httpx's decoders only where it is encoded; see `decode_answer`."""
    if "content-encoding" not in response.headers and isinstance(response.stream, httpx.AsyncByteStream):
        return b"".join([part async for part in response.stream])
    try:
        return await response.aread()
    except httpx.DecodingError:
        if response.is_success:
            raise
        return b""


def over(
    transport: httpx.AsyncBaseTransport, base_url: str, headers: Mapping[str, str], bounds: Bounds
) -> HttpxChannel:
    """Open a channel over a transport, whose own the bounds of bytes are."""
    timeouts = httpx.Timeout(bounds.timeout, connect=bounds.connect_timeout).as_dict()
    base = httpx.URL(base_url.rstrip("/"))
    return HttpxChannel(base, httpx.Headers(headers), transport, {"timeout": timeouts}, Patience(bounds.timeout))
