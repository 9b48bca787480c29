"""One upstream call however many wait, and nobody's leaving costs the others theirs."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from gateway.cache.document import Document
from gateway.cache.flight import DocumentOrError, Flights, Fly, Waiting, waiting_for
from gateway.cache.memory import BoundedMemoryCache
from gateway.cache.store import DocumentStore
from gateway.deadline import Deadline, handed_down
from gateway.errors import UpstreamTimeout, UpstreamUnavailable
from gateway.sandbox import Fault
from tests.world import Clock, World


def document(id_: str) -> Document:
    return Document("asset", id_, b"{}", 0.0, 1e12, 1e12)


class Runway:
    """What flies: documents that come when the test lets them, and what it was called with."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.deadlines: list[Deadline] = []
        self.landed: dict[str, Document] = {}
        self.open = asyncio.Event()
        self.cancelled = 0
        self.flights = Flights(self.land)

    def land(self, key: str, outcome: Document) -> None:
        self.landed[key] = outcome

    async def fly(self, keys: Sequence[str]) -> Mapping[str, DocumentOrError]:
        self.calls.append(list(keys))
        self.deadlines.append(handed_down())
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return {key: document(key) for key in keys}

    def join(self, *keys: str) -> asyncio.Task[dict[str, DocumentOrError]]:
        return asyncio.ensure_future(board(self.flights, keys, self.fly))


def late() -> UpstreamTimeout:
    return UpstreamTimeout("late", upstream="prism")


async def arrived(waiting: Mapping[str, Waiting]) -> dict[str, DocumentOrError]:
    try:
        return {key: await one for key, one in waiting.items()}
    finally:
        for one in waiting.values():
            one.cancel()


async def board(flights: Flights, keys: Sequence[str], fly: Fly) -> dict[str, DocumentOrError]:
    waiting = waiting_for(keys)
    flights.board(waiting, fly, late)
    return await arrived(waiting)


async def load(store: DocumentStore, keys: Sequence[str], fly: Fly) -> dict[str, DocumentOrError]:
    waiting = waiting_for(keys)
    store.load("kind", waiting, fly, late)
    return await arrived(waiting)


async def tick() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_later_boards_the_flight_that_is_under_way() -> None:
    runway = Runway()
    waiting = [runway.join("a", "b"), runway.join("b", "c"), runway.join("a")]
    await tick()
    runway.open.set()
    answers = await asyncio.gather(*waiting)
    assert runway.calls == [["a", "b"], ["c"]]
    assert [sorted(answer) for answer in answers] == [["a", "b"], ["b", "c"], ["a"]]
    assert sorted(runway.landed) == ["a", "b", "c"]
    assert len(runway.flights) == 0


async def test_one_who_leaves_does_not_end_the_flight_of_the_others() -> None:
    runway = Runway()
    leaving, staying = runway.join("a"), runway.join("a")
    await tick()
    leaving.cancel()
    await tick()
    runway.open.set()
    assert await staying == {"a": document("a")}
    assert leaving.cancelled()
    assert (runway.calls, runway.cancelled) == ([["a"]], 0)


async def test_the_last_who_leaves_ends_the_flight_and_the_next_starts_another() -> None:
    runway = Runway()
    waiting = [runway.join("a"), runway.join("a")]
    await tick()
    for one in waiting:
        one.cancel()
    await tick()
    assert (runway.cancelled, len(runway.flights)) == (1, 0)
    again = runway.join("a")
    await tick()
    runway.open.set()
    assert await again == {"a": document("a")}
    assert runway.calls == [["a"], ["a"]]


async def test_a_flight_has_until_the_latest_deadline_of_those_aboard_whoever_came_first() -> None:
    for order in ([30.0, 60.0], [60.0, 30.0]):
        runway, now = Runway(), asyncio.get_running_loop().time()
        for seconds in order:
            runway.flights.board({"a": Waiting()}, runway.fly, late, deadline=Deadline(now + seconds))
            await tick()
        assert [deadline.at - now for deadline in runway.deadlines] == [pytest.approx(60)]
        await runway.flights.close()


async def test_who_comes_just_as_the_last_leaves_does_not_board_what_is_being_ended() -> None:
    runway = Runway()
    leaving, coming = Waiting(), Waiting()
    runway.flights.board({"a": leaving}, runway.fly, late)
    await tick()
    leaving.cancel()
    runway.flights.board({"a": coming}, runway.fly, late)
    await tick()
    runway.open.set()
    assert await coming == document("a")
    assert (runway.calls, runway.cancelled) == ([["a"], ["a"]], 1)


async def test_who_comes_after_a_forgotten_flight_has_ended_boards_the_one_that_took_its_place() -> None:
    runway, later = Runway(), Runway()
    before = runway.join("a")
    await tick()
    runway.flights.forget("a")
    after = [asyncio.ensure_future(board(runway.flights, ["a"], later.fly))]
    await tick()
    runway.open.set()
    await before
    after.append(asyncio.ensure_future(board(runway.flights, ["a"], later.fly)))
    await tick()
    later.open.set()
    assert await asyncio.gather(*after) == [{"a": document("a")}] * 2
    assert later.calls == [["a"]]


async def test_a_forgotten_key_is_not_landed_and_who_comes_later_asks_again() -> None:
    runway = Runway()
    before = runway.join("a", "b")
    await tick()
    runway.flights.forget("a")
    after = runway.join("a")
    await tick()
    runway.flights.forget("a")
    runway.open.set()
    assert (await before)["a"] == (await after)["a"] == document("a")
    assert runway.calls == [["a", "b"], ["a"]]
    assert sorted(runway.landed) == ["b"]


async def test_a_flight_that_breaks_breaks_for_all_and_leaves_nothing_behind() -> None:
    async def crash(_: Sequence[str]) -> Mapping[str, DocumentOrError]:
        await asyncio.sleep(0)
        raise RuntimeError("a bug")

    runway = Runway()
    one = asyncio.ensure_future(board(runway.flights, ["a"], crash))
    other = asyncio.ensure_future(board(runway.flights, ["a"], crash))
    for waiting in (one, other):
        with pytest.raises(RuntimeError, match="a bug"):
            await waiting
    assert len(runway.flights) == 0


async def test_an_error_is_given_to_all_who_wait_and_kept_for_nobody() -> None:
    store = DocumentStore(BoundedMemoryCache(10_000), Clock())
    error = UpstreamUnavailable("down", upstream="prism")
    calls = []

    async def fail(keys: Sequence[str]) -> Mapping[str, DocumentOrError]:
        calls.append(keys)
        await asyncio.sleep(0)
        return dict.fromkeys(keys, error)

    one, other = await asyncio.gather(load(store, ["a"], fail), load(store, ["a"], fail))
    assert one["a"] is error
    assert other["a"] is error
    await load(store, ["a"], fail)
    assert len(calls) == 2


async def test_closing_the_store_ends_the_refreshes_that_nobody_waits_for() -> None:
    clock = Clock(100.0)
    store = DocumentStore(BoundedMemoryCache(10_000), clock)
    await store.keep("a", Document("asset", "a", b"{}", 0.0, 50.0, 1_000.0))
    runway = Runway()
    assert list(await load(store, ["a"], runway.fly)) == ["a"]
    await tick()
    await store.close()
    assert (runway.cancelled, len(store.flights)) == (1, 0)


async def test_three_hundred_identical_queries_at_once_are_one_upstream_call(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("PROCESSING")[0]
    query = f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}'
    answers = await asyncio.gather(*(gateway.data(query) for _ in range(300)))
    assert answers == [answers[0]] * 300
    assert len(gateway.calls) == 1


async def test_a_request_that_is_given_up_ends_its_upstream_call_and_no_one_elses(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    flights = gateway.gateway.store.flights
    gateway.sandbox.faults.add(Fault(upstream="prism", delay=0.05, times=2))
    query = f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} assetUrls {{ model }} }} }}'
    given_up = asyncio.ensure_future(gateway.data(query))
    while len(flights) < 2:  # noqa: ASYNC110 - the sandbox has no event to wait for
        await asyncio.sleep(0)
    other = asyncio.ensure_future(gateway.data(f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}'))
    given_up.cancel()
    assert await other == {"scan": {"assets": {"isReady": True}}}
    await tick()
    assert len(flights) == 0
