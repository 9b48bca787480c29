"""The generations that all processes agree on, in Redis: those begun last, so many at most, for a week at most.

Whoever finds none of a kind goes on with the first: what was kept under that has died long before.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gateway.cache.generations import MOST_KINDS

if TYPE_CHECKING:  # redis is there only where it is configured
    from gateway.cache.link import Command

WEEK = 604_800  # seconds

# A hash has the generations by their kinds, a sorted set the kinds by the second that they were written.
_NOTE = f"""
redis.pcall('ZADD', KEYS[2], redis.call('TIME')[1], ARGV[1])
while redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[3]) do
  redis.call('HDEL', KEYS[1], redis.call('ZPOPMIN', KEYS[2])[1])
end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, {WEEK}) end
"""
# A full Redis still tells: only what takes memory may fail.
_RENEW = f"""
redis.pcall('HSET', KEYS[1], ARGV[1], ARGV[2])
{_NOTE}
return redis.call('PUBLISH', ARGV[4], ARGV[5])
"""
_ADOPT = f"""
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
{_NOTE}
return 1
"""


class Ledger:
    """Says how to write and read it, under a name; `most` kinds are in it."""

    def __init__(self, name: str, most: int = MOST_KINDS) -> None:
        self.name = name
        self._keys: Command = (2, name, f"{name}:written")
        self._most = most

    def renew(self, kind: str, generation: str, channel: str, news: bytes) -> "Command":
        """Begin a generation, and tell it."""
        return ("EVAL", _RENEW, *self._keys, kind, generation, self._most, channel, news)

    def agree(self, current: Mapping[str, str]) -> "list[Command]":
        """Write these generations where there are none of their kinds; the last answer is what there is then."""
        adopted: list[Command] = [("EVAL", _ADOPT, *self._keys, *each, self._most) for each in current.items()]
        return [*adopted, ("HGETALL", self.name)]
