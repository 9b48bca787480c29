"""Whose a fetch is, and whose it is to look: of one process at a time, and of none that has died."""

import asyncio

from gateway.cache.claims import CLAIMED_FOR, Claim
from gateway.cache.sharing import Sharing
from tests.redis_server import RedisServer
from tests.replicas import heard_by_all, replicas, sharing_of

CLAIMS, LEASES = "gateway:*:claim:*", "gateway:*:lease:*"


async def claimed(sharing: Sharing, *keys: str) -> Claim:
    claim = await sharing.claims.claim(keys)
    assert claim is not None
    return claim


async def test_who_wants_the_same_documents_in_another_order_waits_for_the_first_until_they_have_landed(
    redis_url: str,
) -> None:
    async with replicas(redis_url) as worlds:
        first, second = (sharing_of(world) for world in worlds)
        ours, theirs = await claimed(first, "a", "b"), await claimed(second, "b", "a")
        assert (ours.is_ours, theirs.is_ours, theirs.landed.done()) == (True, False, False)
        first.claims.end(ours)
        await heard_by_all(*worlds)
        assert theirs.landed.done()


async def test_a_fetch_that_has_landed_may_be_claimed_again_by_whoever_made_it_and_whoever_waited(
    redis_url: str,
) -> None:
    async with replicas(redis_url) as worlds:
        first, second = (sharing_of(world) for world in worlds)
        for one, other in ((first, second), (second, first)):
            ours, theirs = await claimed(one, "a"), await claimed(other, "a")
            assert (ours.is_ours, theirs.is_ours) == (True, False)
            one.claims.end(ours)
            other.claims.end(theirs)
            await heard_by_all(*worlds)


async def test_a_claim_that_took_so_long_that_another_has_it_now_does_not_end_that_ones(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url, number=3) as worlds:
        first, second, third = (sharing_of(world) for world in worlds)
        slow = await claimed(first, "a")
        server.client.delete(*server.client.keys(CLAIMS))  # as it is after its time
        assert (await claimed(second, "a")).is_ours
        first.claims.end(slow)
        await heard_by_all(*worlds)
        assert not (await claimed(third, "a")).is_ours


async def test_what_a_process_claimed_that_died_is_free_after_its_time(redis_url: str, server: RedisServer) -> None:
    async with replicas(redis_url, number=1) as (only,):
        assert (await claimed(sharing_of(only), "a")).is_ours
        (key,) = server.client.keys(CLAIMS)
        assert 0 < server.client.pttl(key) <= CLAIMED_FOR


async def test_leases_that_are_taken_together_last_as_long_as_each_is_asked_for(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url, number=1) as (only,):
        lives = {"a": 600, "b": 60, "c": 6_000}
        await asyncio.gather(*(sharing_of(only).leases.take(key, seconds) for key, seconds in lives.items()))
        keys = sorted(server.client.keys(LEASES))
        for key, seconds in zip(keys, lives.values(), strict=True):
            assert 0.5 < server.client.pttl(key) / (seconds * 1000) <= 1


async def test_who_leaves_a_lease_that_another_has_by_now_leaves_that_ones(redis_url: str, server: RedisServer) -> None:
    async with replicas(redis_url) as worlds:
        first, second = (sharing_of(world) for world in worlds)
        assert await first.leases.take("a", 60)
        server.client.delete(*server.client.keys(LEASES))  # as it is after its time
        assert await second.leases.take("a", 60)
        first.leases.leave("a")
        await heard_by_all(*worlds)
        assert not await first.leases.take("a", 60)
