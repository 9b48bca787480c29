"""Several gateways in one process over one sandbox and one Redis, as replicas are; by one clock."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from gateway.auth.caller import Gate
from gateway.cache.sharing import Sharing
from gateway.sandbox import Sandbox
from tests.world import URL, Clock, World, app_over, opened

SECONDS = 10.0


def sharing_of(world: World) -> Sharing:
    sharing = world.gateway.store.sharing
    assert sharing is not None
    return sharing


async def until(condition: Any) -> None:
    """Wait until something is so; real time passes, as Redis is real."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        await asyncio.sleep(0.005)


async def heard_by_all(*worlds: World) -> None:
    """Wait until what these have told has been sent, and has come to all of them."""
    for each in worlds:
        await sharing_of(each).tier.outbox.emptied()
    await asyncio.sleep(0.05)


@asynccontextmanager
async def replicas(
    redis_url: str, number: int = 2, *, gate: Gate | None = None, **settings: Any
) -> AsyncIterator[list[World]]:
    """Run gateways that share a sandbox, a clock and a Redis, which they have found."""
    settings.setdefault("gateway_redis_timeout", 5)  # of a machine that others use too
    clock = Clock()
    sandbox = Sandbox(clock=clock, url=URL)
    async with AsyncExitStack() as stack:
        each = [_replica(sandbox, clock, redis_url, settings, gate) for _ in range(number)]
        yield [await stack.enter_async_context(one) for one in each]


@asynccontextmanager
async def _replica(
    sandbox: Sandbox, clock: Clock, redis_url: str, settings: dict[str, Any], gate: Gate | None
) -> AsyncIterator[World]:
    app = app_over(sandbox, clock, gate, gateway_redis_url=redis_url, **settings)
    async with opened(app, sandbox, clock) as world:
        await until(lambda: sharing_of(world).tier.link.is_up)
        yield world
