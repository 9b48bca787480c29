"""The way through a proxy: aiohttp, whose exceptions become httpx's. It takes 10 MB, so it is imported late.

Bodies are unpacked here rather than by aiohttp, which knows no bound for that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
import httpx
from yarl import URL

from gateway.upstream.channel import MAX_TARGET, NO_HEADERS, Answer
from gateway.upstream.decoding import TooLarge, decode_answer
from gateway.upstream.patience import Patience
from gateway.upstream.policy import Bounds

# In this order: some are kinds of others. Of these, httpx's ConnectError and ConnectTimeout alone say that the request
# never left, and whoever made a change relies on that.
_AS_HTTPX: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientConnectorCertificateError, httpx.ConnectError),
    (aiohttp.ClientHttpProxyError, httpx.ConnectError),
)


@dataclass(slots=True)
class _Session:
    """The connections of all channels to an address, made when they are needed."""

    client: aiohttp.ClientSession | None = None

    def open(self, bounds: Bounds) -> aiohttp.ClientSession:
        if self.client is None:
            wait, connect = bounds.timeout, bounds.connect_timeout
            self.client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=bounds.connections),
                timeout=aiohttp.ClientTimeout(connect=wait, sock_connect=connect, sock_read=wait),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                max_line_size=bounds.head_bytes,
                max_field_size=bounds.head_bytes,
            )
            self.client._retry_connection = False  # noqa: SLF001 - by itself it sends a PUT twice, which may be a lock
        return self.client


@dataclass(slots=True)
class ProxiedChannel:
    """A channel to an address by a proxy."""

    base: str
    headers: Mapping[str, str] = field(repr=False)
    bounds: Bounds
    proxy: str | None = field(repr=False)
    _session: _Session = field(default_factory=_Session, repr=False)
    _patience: Patience = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._patience = Patience(self.bounds.timeout)

    async def send(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """Make one request and read its answer. Raises httpx's exceptions; InvalidURL for an endless target."""
        if len(target) > MAX_TARGET:
            raise httpx.InvalidURL("URL too long")
        url = URL(self.base + target, encoded=True)
        try:
            with self._patience.wait():
                return await self._exchange(method, url, content, headers)
        except (aiohttp.ClientError, OSError) as error:
            raise as_httpx(error) from None  # its own words hold the address

    async def _exchange(self, method: str, url: URL, content: bytes | None, headers: Mapping[str, str]) -> Answer:
        every = {**self.headers, **headers} if headers else self.headers
        async with self._session.open(self.bounds).request(
            method, url, data=content, headers=every, allow_redirects=False, proxy=self.proxy
        ) as response:
            body, headers = await self._body(response), httpx.Headers(response.raw_headers)
        coding = headers.get("content-encoding")
        if coding:
            body = decode_answer(response.status, body, coding, self.bounds.body_bytes)
        return Answer(response.status, headers, body)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        """Read a body as it comes, up to as much as is taken. Raises TooLarge."""
        parts, room = [], self.bounds.body_bytes
        async for part in response.content.iter_any():
            room -= len(part)
            if room < 0:
                response.close()
                raise TooLarge("more came than is taken")
            parts.append(part)
        return b"".join(parts)

    def under(self, headers: Mapping[str, str]) -> "ProxiedChannel":
        """Give a channel over the same connections, under other headers."""
        return ProxiedChannel(self.base, headers, self.bounds, self.proxy, self._session)

    async def close(self) -> None:
        """Close the connections."""
        if self._session.client is not None:
            await self._session.client.close()


def as_httpx(error: Exception) -> httpx.TransportError:
    """Name a failure as httpx does, so that one list of exceptions holds for every channel."""
    ours = next((ours for theirs, ours in _AS_HTTPX if isinstance(error, theirs)), httpx.NetworkError)
    return ours(type(error).__name__)
