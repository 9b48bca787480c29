"""The meters of several processes, kept together in Redis by the `limits` library.

Each process counts for itself and asks nobody while it answers: `limits` takes 15 µs a request in memory, and 250 µs in
Redis, where a warm answer takes 20. Once a process has taken a fiftieth of a limit that the others do not know of, it
tells them, and hears what they took. So together they let through a fiftieth too much for each process, or what comes
while one tells.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial

from limits.aio.storage import RedisStorage
from limits.errors import StorageError
from redis.asyncio import ConnectionPool, Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from gateway.rates.meter import MINUTE, Meter

log = logging.getLogger("gateway.rates")

PREFIX = "scan-gateway:rates"
STEPS = 50  # in which a limit is used up, as others see it
ANY_NUMBER = 2**53  # a limit that refuses nothing: the meters do that
PATIENCE = 1.0  # seconds for what Redis has to say of one meter
PAUSE = 5.0  # seconds in which Redis is left alone after it failed
LONGEST_PAUSE = PAUSE + 1  # what is left of one, unless the clock was put back
GIVE_BACK = """-- Take so much off what was taken in this minute, as far as that goes, and then off the one before.
local left = tonumber(ARGV[1])
for _, key in ipairs(KEYS) do
    local off = math.min(left, math.max(0, tonumber(redis.call('get', key)) or 0))
    if off > 0 then
        redis.call('decrby', key, off)
        left = left - off
    end
end
"""


@dataclass(slots=True)
class SharedMeters:
    """Keeps meters by their keys in Redis. While that cannot be reached, each process counts for itself: `failures`."""

    storage: RedisStorage
    give_back: AsyncScript
    clock: Callable[[], float]
    failures: int = 0
    _due: dict[str, Meter] = field(default_factory=dict)
    _telling: asyncio.Task[None] | None = None
    _rests_until: float = 0.0

    def share(self, meter: Meter, key: str) -> None:
        """Let a new meter count what all processes take under a key."""
        meter.step = max(1, math.ceil(meter.most / STEPS))
        meter.tell = partial(self._soon, key)

    @property
    def is_telling(self) -> bool:
        """Whether there is anything that others are still to hear."""
        return self._telling is not None

    async def close(self) -> None:
        """Tell nothing any more."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])

    def _soon(self, key: str, meter: Meter) -> None:
        if 0 < self._rests_until - self.clock() < LONGEST_PAUSE:
            return
        self._due[key] = meter
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell_all(), context=Context())
            self._telling.add_done_callback(self._told)

    async def _tell_all(self) -> None:
        while self._due:
            key, meter = self._due.popitem()
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._tell(key, meter)
            except StorageError as error:
                self._rest(error.storage_error)
            except (TimeoutError, RedisError) as error:
                self._rest(error)

    async def _tell(self, key: str, meter: Meter) -> None:
        amount, minute = meter.untold, meter.ends_at
        if amount < 0:  # of which `limits` would make a minute with less than nothing
            await self.give_back(_windows(key), [-amount])
        else:
            await self.storage.acquire_sliding_window_entry(key, ANY_NUMBER, int(MINUTE), amount)
        before, _, taken, lives_for = await self.storage.get_sliding_window(key, int(MINUTE))
        meter.hear(amount, minute, taken, before, self.clock() + lives_for - MINUTE)

    def _rest(self, error: Exception) -> None:
        self._due.clear()
        self._rests_until = self.clock() + PAUSE
        self.failures += 1
        log.warning("rates are counted by each process for itself: Redis failed with %s", type(error).__name__)

    def _told(self, telling: asyncio.Task[None]) -> None:
        self._telling = None
        if not telling.cancelled() and (bug := telling.exception()) is not None:
            log.error("telling other processes of rates ended with %s", type(bug).__name__)


def _windows(key: str) -> tuple[str, str]:
    """Where `limits` keeps what is taken under a key: in this minute, and in the one before."""
    window = f"{PREFIX}:{{{key}}}"
    return window, f"{window}/-1"


def shared_meters(pool: ConnectionPool, clock: Callable[[], float]) -> SharedMeters:
    """Share by the Redis that a pool connects to, which is others' too: nothing of it is closed here."""
    storage = RedisStorage(
        "async+redis://",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix=PREFIX,
        connection_pool=pool,  # type: ignore[arg-type] # what it is documented to take
    )
    give_back = Redis(connection_pool=pool).register_script(GIVE_BACK)
    return SharedMeters(storage, give_back, clock)
