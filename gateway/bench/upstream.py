"""An upstream that answers at once: what the sandbox answered before, from memory."""

import asyncio

import httpx

Call = tuple[str, bytes, bytes]


class Recorded(httpx.AsyncBaseTransport):
    """Answers in process what `inner` answered to the same call the first time, and counts the calls."""

    def __init__(self, inner: httpx.AsyncBaseTransport, latency: float = 0.0) -> None:
        self.inner = inner
        self.latency = latency
        self.calls = 0
        self.answers: dict[Call, tuple[int, bytes]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer from memory, or record."""
        self.calls += 1
        if self.latency:
            await asyncio.sleep(self.latency)
        call = (request.method, request.url.raw_path, request.content)
        known = self.answers.get(call)
        if known is None:
            answer = await self.inner.handle_async_request(request)
            known = self.answers[call] = (answer.status_code, await answer.aread())
        headers = [(b"content-type", b"application/json")]
        return httpx.Response(known[0], headers=headers, stream=httpx.ByteStream(known[1]))
