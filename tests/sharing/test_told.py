"""What replicas tell of the Redis that they share."""

import signal

from tests.redis_server import RedisServer
from tests.replicas import heard_by_all, replicas, until
from tests.telemetry.reading import counted
from tests.world import World

ASSET = "query ($id: ID!) { asset(assetId: $id) { kind } }"


def shared_lookups(world: World) -> dict[tuple[str, ...], float]:
    lookups = counted(world.app, "cache_lookups_total")
    return {labels: count for labels, count in lookups.items() if labels[-1] == "shared"}


async def test_what_was_found_in_redis_is_told_and_who_fetched_what_was_not(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        await first.data(ASSET, id=first.asset_ids[0])
        await heard_by_all(first)
        await second.data(ASSET, id=first.asset_ids[0])
        assert shared_lookups(first) == {("document", "miss", "shared"): 1}
        assert shared_lookups(second) == {("document", "hit", "shared"): 1}
        assert counted(first.app, "shared_fetches_total") == {("own",): 1}
        assert counted(second.app, "shared_fetches_total") == {}
        assert counted(first.app, "redis_up") == {(): 1}
        assert counted(first.app, "redis_breaks_total") == {}


async def test_a_redis_that_is_gone_is_told_and_so_is_when_it_is_back(server: RedisServer, redis_url: str) -> None:
    async with replicas(redis_url, number=1) as (only,):
        server.signal(signal.SIGKILL)
        await until(lambda: counted(only.app, "redis_up") == {})
        server.start()
        await until(lambda: counted(only.app, "redis_up") == {(): 1})
        assert counted(only.app, "redis_breaks_total") == {(): 1}
