"""An upstream that answers at once: what the sandbox answered before, from memory."""

import asyncio
from collections.abc import Mapping

import httpx

from gateway.app import create_gateway
from gateway.sandbox import Sandbox
from gateway.settings import Settings
from gateway.upstream.channel import Answer, Channel

Call = tuple[str, str, bytes | None]


class Recorded:
    """A channel that answers from memory what `inner` answered to the same call the first time, and counts the calls.

    It waits for nothing but its `latency` in seconds, so that what is measured is the gateway's own work.
    """

    def __init__(self, inner: Channel, latency: float = 0.0) -> None:
        self.inner = inner
        self.latency = latency
        self.calls = 0
        self.answers: dict[Call, Answer] = {}

    async def send(self, method: str, target: str, content: bytes | None) -> Answer:
        """Answer from memory, or record."""
        self.calls += 1
        if self.latency:
            await asyncio.sleep(self.latency)
        call = (method, target, content)
        return self.answers.get(call) or await self._record(call)

    async def _record(self, call: Call) -> Answer:
        answer = self.answers[call] = await self.inner.send(*call)
        return answer

    async def close(self) -> None:
        """Close what was recorded from."""
        await self.inner.close()


def record(sandbox: Sandbox, settings: Settings, latency: float = 0.0) -> Mapping[str, Recorded]:
    """Make a channel for each upstream, which records from the sandbox what a gateway with these settings asks it."""
    transport = httpx.ASGITransport(app=sandbox.app)
    gateway = create_gateway(settings, transports={"prism": transport, "scenario": transport})
    upstreams = (gateway.prism.upstream, gateway.scenario.upstream)
    return {upstream.name: Recorded(upstream.channel, latency) for upstream in upstreams}
