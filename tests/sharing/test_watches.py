"""One replica looks at what several watch; the others hear of it, and another takes over when it goes."""

import asyncio

from gateway.engine.subscriptions import AnswerStream
from tests.replicas import heard_by_all, replicas, sharing_of, until
from tests.world import World, world

FOLLOW = "subscription ($id: ID!) { scanUpdated(scanId: $id) { updatedAt assets { isReady body { updatedAt } } } }"


async def follow(world: World, scan_id: str, into: list[bytes]) -> asyncio.Task[None]:
    stream = await world.subscribe(FOLLOW, id=scan_id)
    assert isinstance(stream, AnswerStream)

    async def read() -> None:
        async for answer in stream:
            into.append(answer)  # noqa: PERF401 - what was read must be there when it is cancelled

    return asyncio.create_task(read())


async def run(*worlds: World, intervals: int) -> None:
    """Let so many seconds pass, and what is told in each come to all."""
    for _ in range(intervals):
        await worlds[0].clock.run(1)
        await heard_by_all(*worlds)


def live(world: World) -> str:
    return next(scan.scan_id for scan in world.sandbox.prism.scans.values() if scan.repeats)


async def test_two_replicas_that_watch_a_scan_look_as_often_as_one_and_both_hear_of_it(redis_url: str) -> None:
    async with replicas(redis_url, gateway_watch_jitter=0, gateway_watch_longest=2) as (first, second):
        heard: tuple[list[bytes], list[bytes]] = ([], [])
        readers = [await follow(world, live(first), into) for world, into in zip((first, second), heard, strict=True)]
        await heard_by_all(first, second)
        assert len(first.calls) <= 2
        await run(first, second, intervals=20)
        counts = [sharing_of(world).leases.counts for world in (first, second)]
        assert min(each.taken for each in counts) == 0
        assert min(each.left_to_others for each in counts) == 0
        assert len(first.calls) <= 12
        assert min(map(len, heard)) >= 4
        await until(lambda: heard[0][-1] == heard[1][-1])
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)


async def test_who_follows_elsewhere_begins_with_what_was_found_already_not_with_an_older_copy(redis_url: str) -> None:
    async with replicas(redis_url, gateway_watch_jitter=0, gateway_fresh_stages_moving=60) as (first, second):
        heard: tuple[list[bytes], list[bytes]] = ([], [])
        readers = [await follow(first, live(first), heard[0])]
        query = FOLLOW.replace("subscription", "query").replace("scanUpdated", "scan")
        await second.data(query, id=live(second))
        while len(heard[0]) < 2:
            await run(first, second, intervals=1)
        _ = first.calls
        readers.append(await follow(second, live(second), heard[1]))
        await until(lambda: heard[1])
        assert (heard[1], first.calls) == (heard[0][-1:], [])
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)


async def test_the_only_message_of_a_scan_that_has_just_ended_holds_its_urls_though_another_replica_had_none(
    redis_url: str,
) -> None:
    async with replicas(redis_url) as (first, second):
        scan_id, said = (
            list(first.sandbox.prism.scans)[20],
            "($id: ID!) { scan%s(scanId: $id) { assetUrls { model } } }",
        )
        first.clock.advance(13.5)
        assert await first.data(f"query {said % ''}", id=scan_id) == {"scan": {"assetUrls": {"model": None}}}
        await heard_by_all(first, second)
        first.clock.advance(1)
        stream = await second.subscribe(f"subscription {said % 'Updated'}", id=scan_id)
        assert isinstance(stream, AnswerStream)
        (only,) = [answer async for answer in stream]
        assert f"/s3/scans/{scan_id}/model".encode() in only


async def test_another_replica_takes_over_at_once_when_the_one_that_looked_leaves(redis_url: str) -> None:
    async with replicas(redis_url, gateway_watch_jitter=0, gateway_watch_longest=2) as worlds:
        readers = [await follow(world, live(worlds[0]), []) for world in worlds]
        await run(*worlds, intervals=5)
        leader = max(range(2), key=lambda number: sharing_of(worlds[number]).leases.counts.taken)
        other = sharing_of(worlds[1 - leader]).leases.counts
        assert other.taken == 0
        await worlds[leader].gateway.watchers.close()
        await until(lambda: other.taken > 0)
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)


async def test_hundreds_that_are_looked_after_at_once_are_taken_in_few_steps_and_by_one(redis_url: str) -> None:
    async with replicas(redis_url) as worlds:
        first, second = (sharing_of(world) for world in worlds)
        keys = [f"scan {number}" for number in range(200)]
        for _ in range(2):
            assert all(await asyncio.gather(*(first.leases.take(key, 6) for key in keys)))
            assert not any(await asyncio.gather(*(second.leases.take(key, 6) for key in keys)))
        counts = [sharing.tier.link.counts for sharing in (first, second)]
        assert [(each.asked, each.failures, each.breaks) for each in counts] == [(2, 0, 0), (2, 0, 0)]


async def test_who_follows_while_redis_is_away_looks_for_itself_and_asks_nothing_of_it() -> None:
    settings = {"gateway_redis_url": "redis://127.0.0.1:1/0", "gateway_watch_jitter": 0, "gateway_watch_longest": 2}
    async with world(settings) as gateway:
        heard: list[bytes] = []
        reader = await follow(gateway, live(gateway), heard)
        await run(gateway, intervals=10)
        sharing = sharing_of(gateway)
        assert len(heard) >= 2
        assert (sharing.leases.counts.left_to_others, sharing.tier.link.counts.asked) == (0, 0)
        reader.cancel()
        await asyncio.wait([reader])


async def test_what_was_told_while_a_follower_was_out_of_touch_with_redis_it_learns_when_it_is_back(
    redis_url: str,
) -> None:
    async with replicas(redis_url, gateway_watch_jitter=0, gateway_watch_longest=2) as (first, second):
        heard: tuple[list[bytes], list[bytes]] = ([], [])
        readers = [await follow(world, live(first), into) for world, into in zip((first, second), heard, strict=True)]
        await run(first, second, intervals=2)
        leader = int(sharing_of(first).leases.counts.taken == 0)
        other = sharing_of((second, first)[leader])
        del other.tier.told["changed"]  # as if it did not come
        told, known = len(heard[leader]), len(heard[1 - leader])
        while len(heard[leader]) == told:
            await run(first, second, intervals=1)
        assert len(heard[1 - leader]) == known
        other.tier.link.leave(ConnectionError())  # as if an answer had not come
        await until(lambda: other.tier.link.is_up)
        await run(first, second, intervals=2)
        assert (len(heard[1 - leader]), other.leases.counts.taken) == (known + 1, 0)
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)
