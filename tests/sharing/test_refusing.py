"""A Redis that answers and takes no change, as without the replicas that it needs, or once it is a replica itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.redis_server import RedisServer
from tests.replicas import heard_by_all, replicas, sharing_of, until
from tests.world import World

ASSET = "query ($id: ID!) { asset(assetId: $id) { tags } }"
LINK = """mutation ($id: ID!, $scan: ID!) {
  linkAssetsToScan(input: { assetIds: [$id], scanId: $scan }) { userErrors { code } }
}"""


@contextmanager
def refusing(server: RedisServer, word: str) -> Iterator[None]:
    """Let Redis answer each change with this while the block runs."""
    if word == "READONLY":
        server.client.replicaof("127.0.0.1", "1")
    else:
        server.client.config_set("min-replicas-to-write", 1)
    try:
        yield
    finally:
        server.client.config_set("min-replicas-to-write", 0)
        server.client.replicaof("NO", "ONE")


async def changed(world: World, scan_id: str) -> dict[str, object]:
    """Link the first asset to a scan, and give what is to be seen of it then."""
    (asset_id, *_) = world.asset_ids
    seen = await world.data(ASSET, id=asset_id)
    assert await world.data(LINK, id=asset_id, scan=scan_id) == {"linkAssetsToScan": {"userErrors": []}}
    return {"asset": {"tags": [*seen["asset"]["tags"], f"prism-scan:{scan_id}"]}}


@pytest.mark.parametrize("word", ["NOREPLICAS", "READONLY"])
async def test_a_change_is_seen_at_once_where_it_was_made_and_by_all_as_soon_as_redis_takes_it(
    redis_url: str, server: RedisServer, word: str
) -> None:
    async with replicas(redis_url) as (first, second):
        scan_id = first.sandbox.prism.scan_ids("READY")[3]
        for world in (first, second):
            await world.data(ASSET, id=world.asset_ids[0])
            await heard_by_all(first, second)
        with refusing(server, word):
            after = await changed(first, scan_id)
            assert await first.data(ASSET, id=first.asset_ids[0]) == after
            assert not sharing_of(first).tier.link.is_up
        await until(lambda: sharing_of(first).tier.link.is_up)
        await until(lambda: sharing_of(second).tier.link.is_up)
        await heard_by_all(first, second)
        assert await second.data(ASSET, id=first.asset_ids[0]) == after


async def test_a_full_redis_is_not_left_for_what_it_does_not_keep_and_changes_are_told_through_it_all_the_same(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url) as (first, second):
        asset_id, scan_id = first.asset_ids[0], first.sandbox.prism.scan_ids("READY")[3]
        await second.data(ASSET, id=asset_id)
        await heard_by_all(first, second)
        server.client.config_set("maxmemory", "1")
        try:
            after = await changed(first, scan_id)
            assert await first.data(ASSET, id=asset_id) == after
            await heard_by_all(first, second)
            assert await second.data(ASSET, id=asset_id) == after
            assert [sharing_of(world).tier.link.counts.breaks for world in (first, second)] == [0, 0]
        finally:
            server.client.config_set("maxmemory", "0")


async def test_a_fetch_that_redis_would_not_let_be_claimed_can_be_claimed_once_it_does(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url, number=1) as (only,):
        with refusing(server, "NOREPLICAS"):
            assert await sharing_of(only).claims.claim(["a"]) is None
        claim = await sharing_of(only).claims.claim(["a"])
        assert claim is not None
        assert claim.is_ours


async def test_a_redis_that_has_become_a_replica_is_connected_to_anew_while_a_change_waits_to_be_told(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url, number=1) as (only,):
        link = sharing_of(only).tier.link
        probes, upstream, kinds = link.counts.probes, only.sources.scenario.upstream, only.sources.scenario.kinds
        before = {client["id"] for client in server.client.client_list()}
        with refusing(server, "READONLY"):
            await upstream.drop(kinds.asset, "a")
            await until(lambda: link.counts.probes > probes + 1)
        await until(lambda: link.is_up)
        await heard_by_all(only)
        after = {client["id"] for client in server.client.client_list()}
        assert len(before & after) == 1  # this test's own
        assert server.client.get(f"gateway:1:dropped:{upstream.key(kinds.asset, 'a')}") is not None


async def test_a_redis_that_has_become_a_replica_is_connected_to_anew(redis_url: str, server: RedisServer) -> None:
    async with replicas(redis_url, number=1) as (only,):
        link = sharing_of(only).tier.link
        probes = link.counts.probes
        before = {client["id"] for client in server.client.client_list()}
        with refusing(server, "READONLY"):
            await only.data(ASSET, id=only.asset_ids[0])
            await until(lambda: link.counts.probes > probes + 1)
        await until(lambda: link.is_up)
        await heard_by_all(only)
        after = {client["id"] for client in server.client.client_list()}
        assert len(before & after) == 1  # this test's own
