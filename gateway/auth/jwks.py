"""A JWK Set behind a URL, fetched with care: no redirects, no huge answers, no end of waiting."""

import asyncio

import httpx

from gateway.auth.watched_file import BadKeysError

MAX_BYTES = 262_144
SECONDS = 10.0


class JwksUrl:
    """Fetches what is behind a URL; its errors name the host at most."""

    def __init__(self, url: str, *, is_local: bool) -> None:
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        self._url = url
        self._client = httpx.AsyncClient(headers=headers, timeout=SECONDS, trust_env=not is_local)

    async def fetch(self) -> bytes:
        """Give the body of a plain 200. Raises BadKeysError for anything else."""
        host = httpx.URL(self._url).host
        try:
            async with asyncio.timeout(SECONDS), self._client.stream("GET", self._url) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise BadKeysError(f"{host} answered {answer.status_code}.")
                return await _body(answer, host)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            raise BadKeysError(f"{host} could not be asked: {type(error).__name__}.") from None

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


async def _body(answer: httpx.Response, host: str) -> bytes:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise BadKeysError(f"{host} answered something that is packed.")
    body = b""
    async for part in answer.aiter_raw():
        body += part
        if len(body) > MAX_BYTES:
            raise BadKeysError(f"{host} answered more than {MAX_BYTES:,} bytes.")
    return body
