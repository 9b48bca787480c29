"""The way through a proxy: aiohttp, whose exceptions become httpx's. It takes 10 MB, so it is imported late."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
import httpx
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from gateway.upstream.channel import MAX_TARGET, NO_HEADERS, Answer
from gateway.upstream.patience import Patience
from gateway.upstream.pool import MAX_CONNECTIONS

Failure = httpx.TransportError | httpx.DecodingError

# In this order: some are kinds of others. Of these, httpx's ConnectError and ConnectTimeout alone say that the request
# never left, and whoever made a change relies on that.
_AS_HTTPX: tuple[tuple[type[Exception], type[Failure]], ...] = (
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

    def open(self, timeout: float) -> aiohttp.ClientSession:
        if self.client is None:
            self.client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=None, connect=timeout, sock_read=timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self.client


@dataclass(slots=True)
class ProxiedChannel:
    """A channel to an address by a proxy; `timeout` is seconds."""

    base: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float
    proxy: str | None = field(repr=False)
    _session: _Session = field(default_factory=_Session, repr=False)
    _patience: Patience = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._patience = Patience(self.timeout)

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
        async with self._session.open(self.timeout).request(
            method, url, data=content, headers=every, allow_redirects=False, proxy=self.proxy
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    def under(self, headers: Mapping[str, str]) -> "ProxiedChannel":
        """Give a channel over the same connections, under other headers."""
        return ProxiedChannel(self.base, headers, self.timeout, self.proxy, self._session)

    async def close(self) -> None:
        """Close the connections."""
        if self._session.client is not None:
            await self._session.client.close()


def as_httpx(error: Exception) -> Failure:
    """Name a failure as httpx does, so that one list of exceptions holds for every channel."""
    if isinstance(error, aiohttp.ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError):
        return httpx.DecodingError("not compressed as it says")
    ours = next((ours for theirs, ours in _AS_HTTPX if isinstance(error, theirs)), httpx.NetworkError)
    return ours(type(error).__name__)
