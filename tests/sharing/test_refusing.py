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
