"""The second cache tier: documents in Redis, which processes share, and what they tell each other of them."""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from gateway.cache.batch import Batch
from gateway.cache.document import Document
from gateway.cache.generations import MOST_KINDS, Generations
from gateway.cache.ledger import WEEK, Ledger
from gateway.cache.news import News, Verb, read_news, write_news
from gateway.cache.outbox import Letter, Outbox
from gateway.cache.packing import FORMAT, Unreadable, pack, unpack

if TYPE_CHECKING:  # redis is there only where it is configured
    from gateway.cache.link import Command, Link

log = logging.getLogger("gateway.cache")

NAMESPACE = f"gateway:{FORMAT}:"
CHANNEL = f"{NAMESPACE}news"
LEDGER = Ledger(f"{NAMESPACE}generations")
READS_AT_ONCE = 4
CHANGE = ("DEL", f"{NAMESPACE}nothing")  # of nothing, and one that a full Redis takes
LONGEST_LIFE = float(WEEK)  # seconds that anything stays in Redis: a URL may be signed for years

DROPPED = f"{NAMESPACE}dropped:"
DROPPED_FOR = 30_000  # milliseconds: longer than what was asked for before the drop is under way

# Writes unless the document was dropped since the writer began: then what it has may be from before the change. The
# mark of that stands beside the document, so that a newer one that is written does not end what protects it.
WRITE = """
local mark = redis.call('GET', KEYS[2])
if mark and mark ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
# A full Redis still forgets and tells: only what takes memory may fail.
DROP = """
redis.call('DEL', KEYS[1])
redis.pcall('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return redis.call('PUBLISH', ARGV[3], ARGV[4])
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What Redis holds of some keys: documents, and the marks of what was dropped lately, be it there again or not."""

    documents: Mapping[str, Document] = field(default_factory=dict)
    marks: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class SharedCounts:
    """Documents found, not found, not asked for because Redis was away, not readable, written and too large to be.

    `claimed` are fetches that this process made for all, `awaited` those that it left to another one.
    """

    hits: int = 0
    misses: int = 0
    skipped: int = 0
    unreadable: int = 0
    written: int = 0
    too_large: int = 0
    claimed: int = 0
    awaited: int = 0


class SharedTier:
    """Documents by the keys of the store, and news of them. Raises nothing: without Redis it finds and tells nothing.

    `told` has what to do when another process says something of a key, `missed` when it may have gone unheard.
    """

    def __init__(self, link: "Link", generations: Generations, clock: Callable[[], float]) -> None:
        self.link = link
        self.me = secrets.token_hex(8)
        self.counts = SharedCounts()
        self.told: dict[Verb, Callable[[str], None]] = {}
        self.missed: Callable[[], None] = _nothing
        self.outbox = Outbox(link)
        self._generations = generations
        self.clock = clock
        self._reads: Batch[str, Sequence[bytes | None]] = Batch(self._read, READS_AT_ONCE)
        self._renewals: dict[str, str] = {}
        link.hear, link.resume = self._hear, self._resume

    async def close(self) -> None:
        """Send what there is to be sent, and leave Redis."""
        await self.outbox.close()
        await self._reads.close()
        await self.link.close()

    async def find(self, keys: Sequence[str]) -> Found:
        """Find documents that may be served still, be they stale."""
        if not self.link.is_up:
            self.counts.skipped += len(keys)
            return Found()
        reads = [self._reads.put(key) for key in keys]
        held = {key: both for key, read in zip(keys, reads, strict=True) if (both := await read) is not None}
        marks = {key: mark for key, (_, mark) in held.items() if mark is not None}
        read_now = {key: self._unpack(key, data) for key, (data, _) in held.items() if data is not None}
        now = self.clock()
        documents = {key: one for key, one in read_now.items() if one is not None and not one.is_dead(now)}
        self.counts.hits += len(documents)
        self.counts.misses += len(keys) - len(documents)
        return Found(documents, marks)

    def write(self, key: str, document: Document, mark: bytes) -> None:
        """Let others have a document, unless it was dropped since `mark` was found, or lately where none was."""
        self.outbox.put(Letter(partial(self._writing, key, document, mark)))

    async def drop(self, key: str, verb: Verb) -> None:
        """Tell all to forget a document, and wait until that is sent, no longer than Redis is waited for."""
        mark, news = secrets.token_hex(4), self.news(verb, key)
        command = ("EVAL", DROP, 2, NAMESPACE + key, DROPPED + key, mark, DROPPED_FOR, CHANNEL, news)
        await self.outbox.deliver(Letter(lambda: [command], is_vital=True))

    def renew(self, kind: str, generation: str) -> None:
        """Tell all to go on with another generation of a kind."""
        if len(self._renewals) >= MOST_KINDS:  # Redis is long away, and what it may tell of these is older still
            self._renewals.clear()
        self._renewals[kind] = generation
        news = self.news("generation", kind, generation)
        self.outbox.put(Letter(lambda: [LEDGER.renew(kind, generation, CHANNEL, news)], is_vital=True))

    def tell(self, verb: Verb, key: str) -> None:
        """Say something to all others who are there, after what was written before."""
        news = self.news(verb, key)
        self.outbox.put(Letter(lambda: [("PUBLISH", CHANNEL, news)]))

    def news(self, verb: Verb, key: str, value: str = "") -> bytes:
        """Write a message of this process."""
        return write_news(News(self.me, verb, key, value))

    async def _read(self, keys: Sequence[str]) -> Sequence[Sequence[bytes | None]] | None:
        """Read the document of each key, and its mark."""
        read = await self.link.read([start + key for key in keys for start in (NAMESPACE, DROPPED)])
        return None if read is None else [read[place : place + 2] for place in range(0, len(read), 2)]

    def _unpack(self, key: str, data: bytes) -> Document | None:
        try:
            return unpack(key, data)
        except Unreadable as error:
            self.counts.unreadable += 1
            log.warning("Redis holds %s under a key", error)
            return None

    def _writing(self, key: str, document: Document, mark: bytes) -> "Sequence[Command]":
        life = min(document.dead_at - self.clock(), LONGEST_LIFE)
        if life <= 0:
            return ()
        packed = pack(document)
        if packed is None:
            self.counts.too_large += 1
            return ()
        self.counts.written += 1
        milliseconds = max(1, int(life * 1000))
        return [("EVAL", WRITE, 2, NAMESPACE + key, DROPPED + key, packed, milliseconds, mark)]

    async def _resume(self) -> None:
        """Say what could not be said, and agree on generations with those who were there meanwhile.

        What is begun or told of while the ledger answers is newer than its answer; what is begun here is said last.
        Raises what is refused where no change is taken.
        """
        await self.outbox.resume()
        self._renewals.clear()
        before = dict(self._generations.current)
        taken, *_, ours = await self.link.require([CHANGE, *LEDGER.agree(before)])
        if isinstance(taken, Exception):
            raise taken
        self.missed()
        for kind, generation in self._still_to_take(ours, before):
            self._take(kind, generation)
        await self.outbox.resume()

    def _still_to_take(self, ours: object, before: Mapping[str, str]) -> list[tuple[str, str]]:
        """Read the ledger's generations, without those of kinds that have had another one since `before`."""
        now = self._generations.current
        generations = ours.items() if isinstance(ours, Mapping) else ()
        read = [(kind.decode(), generation.decode()) for kind, generation in generations]
        return [(kind, generation) for kind, generation in read if now.get(kind) == before.get(kind)]

    def _hear(self, message: bytes) -> None:
        news = read_news(message)
        if news is None:
            log.warning("Redis brought a message that is none")
        elif news.verb == "generation":
            self._hear_generation(news)
        elif news.sender != self.me and news.verb in self.told:
            self.told[news.verb](news.key)

    def _hear_generation(self, news: News) -> None:
        """Take the generation that was told last; until one's own comes back, what comes before it is older."""
        own = self._renewals.get(news.key)
        if own == news.value:
            del self._renewals[news.key]
        elif own is None:
            self._take(news.key, news.value)

    def _take(self, kind: str, generation: str) -> None:
        if self._generations.take(kind, generation) and "generation" in self.told:
            self.told["generation"](kind)


def _nothing() -> None:
    """Nobody minds what was missed."""
