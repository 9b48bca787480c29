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
class ProxiedChannel:
    """A channel to an address by a proxy; `timeout` is seconds. Its connections are made when they are needed."""

    base: str
    headers: Mapping[str, str] = field(repr=False)
    timeout: float
    proxy: str | None = field(repr=False)
    _patience: Patience = field(init=False, repr=False)
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._patience = Patience(self.timeout)

    async def send(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str] = NO_HEADERS
    ) -> Answer:
        """Make one request and read its answer. Raises httpx's exceptions; InvalidURL for an endless target."""
        if len(target) > MAX_TARGET:
            raise httpx.InvalidURL("URL too long")
        session = self._session or self._open()
        url = URL(self.base + target, encoded=True)
        try:
            with self._patience.wait():
                return await self._exchange(session, method, url, content, headers)
        except (aiohttp.ClientError, OSError) as error:
            raise as_httpx(error) from None  # its own words hold the address

    async def _exchange(
        self, session: aiohttp.ClientSession, method: str, url: URL, content: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        async with session.request(
            method, url, data=content, headers=headers, allow_redirects=False, proxy=self.proxy
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            headers=self.headers,
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
            timeout=aiohttp.ClientTimeout(total=None, connect=self.timeout, sock_read=self.timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


def as_httpx(error: Exception) -> Failure:
    """Name a failure as httpx does, so that one list of exceptions holds for every channel."""
    if isinstance(error, aiohttp.ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError):
        return httpx.DecodingError("not compressed as it says")
    ours = next((ours for theirs, ours in _AS_HTTPX if isinstance(error, theirs)), httpx.NetworkError)
    return ours(type(error).__name__)
