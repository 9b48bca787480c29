"""One Redis: asked within a budget, left alone as soon as it fails, and taken up again when it answers."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aiocache.backends.redis import RedisCache
from aiocache.serializers import NullSerializer
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ConnectionError,  # noqa: A004 - redis-py's own name
    ReadOnlyError,
    RedisError,
    ResponseError,
)

log = logging.getLogger("gateway.redis")

T = TypeVar("T")
Command = tuple[str | bytes | int, ...]

PROBE_SECONDS = 1.0  # for what no query waits for: connecting, and the first answer after a failure
SHORTEST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
STEADY_SECONDS = 10.0  # after so long without a failure the next one is the first again
SILENCE_SECONDS = 5.0  # before a subscription is asked whether it is still there


@dataclass(slots=True)
class LinkCounts:
    """What came of asking: `refused` are errors that Redis answered, `failures` no answer in time or none at all.

    `breaks` is how often it was left alone, `probes` how often it was asked whether it answers again.
    """

    asked: int = 0
    refused: int = 0
    failures: int = 0
    breaks: int = 0
    probes: int = 0
    heard: int = 0


class Link:
    """Lives as long as the process, between `open` and `close`.

    While `is_up` it may be asked: each answer comes within `budget` seconds or is None, and nothing is raised. The
    first failure ends that, until a probe, which nobody waits for, finds that Redis answers within the budget, that
    messages arrive, and that `resume` goes well. `hear` is given each message of the channel.
    """

    def __init__(self, url: str, channel: str, budget: float) -> None:
        """Raises ValueError for what is no address of Redis."""
        self.is_up = False
        self.counts = LinkCounts()
        self.hear: Callable[[bytes], None] = _ignore
        self.resume: Callable[[], Awaitable[None]] = _nothing
        self.pool = _pool(url)
        self._channel = channel
        self._budget = budget
        self._cache = RedisCache(
            serializer=NullSerializer(encoding=None), timeout=0, connection_pool_class=lambda **_: self.pool
        )
        self._is_expected = True  # to answer: the first failure after an answer is told
        self._is_lost = asyncio.Event()
        self._is_lost.set()
        self._hears = asyncio.Event()
        self._pause = SHORTEST_PAUSE
        self._up_since = 0.0
        self._tasks: Sequence[asyncio.Task[None]] = ()

    def open(self) -> None:
        """Begin to listen, and to look whether Redis answers."""
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._recover())]

    async def close(self) -> None:
        """End both, and every connection; a second time does nothing."""
        self.is_up = False
        pending = set(self._tasks)
        while pending:  # again, should redis-py lose a cancellation
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=PROBE_SECONDS)
        await self._hang_up()

    async def read(self, keys: Sequence[str]) -> Sequence[bytes | None] | None:
        """Give what is kept under each key."""
        answer: Sequence[bytes | None] | None = await self._ask(self._cache.multi_get(keys))
        return answer

    async def evaluate(self, script: str, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        """Run a script."""
        return await self._ask(self._cache.raw("eval", script, len(keys), *keys, *arguments))

    async def send(self, commands: Sequence[Command]) -> Sequence[Any] | None:
        """Run commands in order, each whatever came of the others; an error stands for what was refused."""
        return await self._ask(self._run(commands))

    async def require(self, commands: Sequence[Command]) -> Sequence[Any]:
        """Run commands while the link is not up yet, for `resume`. Raises what goes wrong with the connection."""
        return await self._run(commands)

    def leave(self, failure: Exception) -> None:
        """Leave Redis alone until it answers, and takes changes, again."""
        self.counts.failures += 1
        if self._is_expected:
            self._is_expected = False
            trouble = "refuses commands" if isinstance(failure, ResponseError) else "does not answer"
            log.warning("Redis %s (%s); going on without it", trouble, type(failure).__name__)
        if self.is_up:
            self.is_up = False
            self.counts.breaks += 1
            is_first = asyncio.get_running_loop().time() - self._up_since > STEADY_SECONDS
            self._pause = SHORTEST_PAUSE if is_first else min(2 * self._pause, LONGEST_PAUSE)
        self._is_lost.set()

    async def _run(self, commands: Sequence[Command]) -> Sequence[Any]:
        pipeline = self._cache.client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: Sequence[Any] = await pipeline.execute(raise_on_error=False)
        refusals = [answer for answer in answers if isinstance(answer, ResponseError)]
        self.counts.refused += len(refusals)
        for refusal in refusals[:1]:
            log.debug("Redis refused: %s", refusal)
        return answers

    async def _ask(self, question: Coroutine[Any, Any, T]) -> T | None:
        self.counts.asked += 1
        try:
            async with asyncio.timeout(self._budget):
                return await question
        except ReadOnlyError as refusal:  # a replica, to which the address of the primary led once
            self.leave(refusal)
        except ResponseError as refusal:
            self.counts.refused += 1
            log.debug("Redis refused: %s", refusal)
        except Exception as failure:  # noqa: BLE001 - whatever Redis does, or is, no query fails for it
            self.leave(failure)
        return None

    async def _recover(self) -> None:
        """Whenever it is lost, ask until it answers; at once, for it may have been this process that was slow."""
        while True:
            await self._is_lost.wait()
            if self._pause > SHORTEST_PAUSE:
                await self._rest()
            while not await self._answers():
                await self._rest()
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self._is_lost.clear()
            self._up_since = asyncio.get_running_loop().time()
            self.is_up = self._is_expected = True
            log.info("Redis answers")

    async def _answers(self) -> bool:
        await self._hears.wait()
        self.counts.probes += 1
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._cache.client.ping()  # which connects, if need be
                async with asyncio.timeout(self._budget):
                    await self._cache.client.ping()
                await self.resume()
        except Exception as failure:  # noqa: BLE001 - the same
            log.debug("Redis does not answer yet: %s", type(failure).__name__)
            if isinstance(failure, ReadOnlyError):
                await self._hang_up()  # by now the address may lead to the primary
            return False
        return self._hears.is_set()

    async def _listen(self) -> None:
        """Subscribe, and again whenever that ends."""
        while True:
            try:
                async with self._cache.client.pubsub() as subscription:
                    await self._hear_out(subscription)
            except Exception as failure:  # noqa: BLE001 - the same
                self._hears.clear()
                self.leave(failure)
            await self._rest()

    async def _hear_out(self, subscription: Any) -> None:
        async with asyncio.timeout(PROBE_SECONDS):
            await subscription.subscribe(self._channel)
            while await subscription.get_message(timeout=PROBE_SECONDS) is None:
                pass
        self._hears.set()
        is_silent = False
        while True:
            message = await subscription.get_message(timeout=SILENCE_SECONDS)
            if message is None:
                if is_silent:
                    raise ConnectionError("the subscription is silent")
                async with asyncio.timeout(PROBE_SECONDS):
                    await subscription.ping()
            elif message["type"] == "message":
                self.counts.heard += 1
                self.hear(message["data"])
            is_silent = message is None

    async def _hang_up(self) -> None:
        try:
            await self.pool.disconnect()
        except RedisError as failure:  # a Redis that stands still takes nothing of what is still to be sent
            log.debug("Redis was left without a farewell: %s", type(failure).__name__)

    async def _rest(self) -> None:
        await asyncio.sleep(self._pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load


def _ignore(_message: bytes) -> None:
    """Hear nothing."""


async def _nothing() -> None:
    """Resume nothing."""


def _pool(url: str) -> ConnectionPool:
    # Without a timeout of its own for each command, by which Python 3.11 may lose a cancellation.
    pool: ConnectionPool = ConnectionPool.from_url(
        url, retry=Retry(NoBackoff(), 0), socket_timeout=None, socket_connect_timeout=PROBE_SECONDS, protocol=2
    )
    try:
        pool.connection_class(**pool.connection_kwargs)  # which connects nowhere yet, and reads the address's options
    except (TypeError, RedisError) as error:
        raise ValueError("it has an option that cannot be used") from error
    return pool
