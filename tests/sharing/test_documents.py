"""What one replica has fetched, others take from Redis, and what one changes, others forget."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from random import randbytes

import pytest

from gateway.cache.document import Document, Lifetime, make_document
from gateway.cache.ledger import WEEK
from gateway.cache.shared import DROP, DROPPED, NAMESPACE
from gateway.sandbox import Fault
from tests.callers import caller, gate
from tests.redis_server import RedisServer
from tests.replicas import heard_by_all, replicas, sharing_of, until
from tests.telemetry.reading import counted
from tests.world import World

LOCK = """mutation ($id: ID!) {
  lockAsset(input: { assetId: $id, lockExpiresAt: "2030-01-01T00:00:00Z" }) { lockId userErrors { code } }
}"""

ENDS = "query ($id: ID!) { asset(assetId: $id) { metadata { lockExpiresAt } } }"


async def fetched(world: World) -> tuple[str, str, Document]:
    """Let a replica fetch an asset; give the asset's id, its key, and the document."""
    asset_id, upstream, kind = world.asset_ids[0], world.sources.scenario.upstream, world.sources.scenario.kinds.asset
    await world.data(ENDS, id=asset_id)
    document = upstream.peek(kind, asset_id)
    assert document is not None
    return asset_id, upstream.key(kind, asset_id), document


def kinds_of(ids: Sequence[str]) -> str:
    return "{ " + " ".join(f'a{n}: asset(assetId: "{id_}") {{ assetId kind }}' for n, id_ in enumerate(ids)) + " }"


def join(world: World) -> str:
    scan_id = world.sandbox.prism.scan_ids("READY")[0]
    return f"""{{
      scan(scanId: "{scan_id}") {{ status assets {{ isReady }} assetUrls {{ model expiresAt }} }}
      assets(first: 250) {{ nodes {{ assetId kind url urlExpiresAt }} pageInfo {{ hasNextPage endCursor }} }}
    }}"""


async def test_what_one_replica_has_fetched_another_answers_without_a_call(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        answer = await first.execute(join(first))
        assert len(first.calls) == 5
        await heard_by_all(first)
        assert await second.execute(join(second)) == answer
        assert second.calls == []
        counts = sharing_of(second).tier.counts
        assert (counts.hits, counts.written) == (5, 0)


@pytest.mark.parametrize("takes_claims", [True, False])
async def test_of_several_documents_only_those_are_fetched_that_no_other_replica_has(
    redis_url: str, server: RedisServer, *, takes_claims: bool
) -> None:
    async with replicas(redis_url) as (first, second):
        ids = first.asset_ids[:3]
        await first.data(kinds_of(ids[:2]))
        await heard_by_all(first)
        first.forget_calls()
        server.client.config_set("min-replicas-to-write", 0 if takes_claims else 1)
        try:
            answer = await second.data(kinds_of(ids))
        finally:
            server.client.config_set("min-replicas-to-write", 0)
        assert [each["assetId"] for each in answer.values()] == ids
        assert second.calls == [("GET", f"/assets/{ids[2]}")]
        counts = sharing_of(second).tier.counts
        assert (counts.hits, counts.claimed) == (2, int(takes_claims))


async def test_of_documents_that_another_replica_was_to_fetch_those_are_fetched_that_it_did_not_find(
    redis_url: str,
) -> None:
    async with replicas(redis_url, number=3) as (first, second, third):
        ids, kind = first.asset_ids[:2], first.sources.scenario.kinds.asset
        upstream = first.sources.scenario.upstream
        await third.data(kinds_of(ids[:1]))
        document = third.sources.scenario.upstream.peek(kind, ids[0])
        assert document is not None
        await heard_by_all(third)
        await upstream.forget(kind, ids[0])
        key = upstream.key(kind, ids[0])
        mark = (await sharing_of(first).tier.find([key])).marks[key]
        claim = await sharing_of(first).claims.claim([upstream.key(kind, id_) for id_ in ids])
        assert claim is not None
        first.forget_calls()
        reading = asyncio.create_task(second.data(kinds_of(ids)))
        await until(lambda: sharing_of(second).tier.counts.awaited)
        sharing_of(first).tier.write(key, document, mark)
        sharing_of(first).claims.end(claim)
        assert [each["assetId"] for each in (await reading).values()] == ids
        assert second.calls == [("GET", f"/assets/{ids[1]}")]


async def test_who_may_see_their_own_scans_only_gets_them_from_another_replica_and_nobody_elses(redis_url: str) -> None:
    scopes = ("scans:read:own",)
    owner, stranger = (caller(*scopes, owner=token, id_=token) for token in ("owner-token", "stranger-token"))
    async with replicas(redis_url, gate=gate(owner, stranger)) as (first, second):
        scan_id = first.sandbox.prism.scan_ids("READY")[0]
        scans = first.sandbox.prism.scans
        scans[scan_id] = replace(scans[scan_id], user_token="owner-token")
        query = f'{{ scan(scanId: "{scan_id}") {{ status assets {{ isReady }} }} }}'
        theirs = {"scan": {"status": "READY", "assets": {"isReady": True}}}
        for one, answer in ((owner, theirs), (stranger, {"scan": {"status": None, "assets": None}})):
            assert (await first.as_caller(one).execute(query))["data"] == answer
            await heard_by_all(first)
            assert first.calls != []
            assert (await second.as_caller(one).execute(query))["data"] == answer
            assert second.calls == []
        assert sharing_of(second).tier.counts.unreadable == 0


async def test_a_stale_record_of_another_replica_does_not_tell_whose_a_scan_is(redis_url: str) -> None:
    owner = caller("scans:read:own", owner="owner-token", id_="owner")
    async with replicas(redis_url, gate=gate(owner)) as (first, second):
        scan_id = first.sandbox.prism.scan_ids("READY")[0]
        scans = first.sandbox.prism.scans
        scans[scan_id] = replace(scans[scan_id], user_token="owner-token")
        query = f'{{ scan(scanId: "{scan_id}") {{ status assetUrls {{ model }} }} }}'
        assert (await first.as_caller(owner).data(query))["scan"]["status"] == "READY"
        await heard_by_all(first)
        scans[scan_id] = replace(scans[scan_id], user_token="another-token")
        first.clock.advance(1_800)
        first.forget_calls()
        answer = await second.as_caller(owner).execute(query)
        assert answer["data"] == {"scan": {"status": None, "assetUrls": None}}
        assert second.calls == [("GET", f"/scans/{scan_id}")]


async def test_a_document_from_another_replica_is_as_old_as_it_is_there(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        ids = first.asset_ids[:3]
        query = "{ " + " ".join(f'a{n}: asset(assetId: "{id_}") {{ url }}' for n, id_ in enumerate(ids)) + " }"
        answer = await first.data(query)
        await heard_by_all(first)
        first.clock.advance(59)
        assert await second.data(query) == answer
        assert [path for _, path in second.calls] == ["/assets/get-bulk"]
        body = {"query": query, "extensions": {"freshness": True}}
        told = (await second.client.post("/graphql", json=body)).json()["extensions"]["freshness"]["documents"]
        assert {each["age"] for each in told} == {59}
        assert second.calls == []


async def test_what_does_not_exist_is_known_to_all_for_its_short_life(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        query = '{ downloadJob(jobId: "missing") { status } }'
        assert await first.data(query) == {"downloadJob": None}
        await heard_by_all(first)
        assert await second.data(query) == {"downloadJob": None}
        assert len(first.calls) == 1
        first.clock.advance(2)
        await second.data(query)
        assert len(second.calls) == 1


async def test_no_document_is_served_past_the_end_of_its_urls(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        scan_id = first.sandbox.prism.scan_ids("READY")[0]
        query = f'{{ scan(scanId: "{scan_id}") {{ assetUrls {{ model expiresAt }} }} }}'
        answer = await first.data(query)
        await heard_by_all(first)
        assert len(first.calls) == 1
        first.clock.advance(86_400 * 30)
        assert await second.data(query) != answer
        assert len(second.calls) == 1


async def test_a_client_that_wants_nothing_kept_passes_by_redis_and_all_get_what_it_finds(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url, number=3) as (first, second, third):
        await first.data(join(first))
        await heard_by_all(first)
        assert len(first.calls) == 5
        server.client.flushall()
        second.headers["cache-control"] = "no-cache"
        answer = await second.data(join(second))
        assert len(second.calls) == 5
        await heard_by_all(second)
        assert await third.data(join(third)) == answer
        assert third.calls == []


async def test_a_client_that_wants_nothing_kept_does_not_wait_with_others_for_what_another_replica_has(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url) as (first, second):
        asset_id, key, before = await fetched(first)
        await first.data(LOCK, id=asset_id)
        await heard_by_all(first)
        server.client.flushall()
        claim = await sharing_of(first).claims.claim([key])
        assert claim is not None
        waiting = asyncio.create_task(second.data(ENDS, id=asset_id))
        await until(lambda: sharing_of(second).tier.counts.awaited)
        asking = replace(second, headers={"cache-control": "no-cache"})
        anew = asyncio.create_task(asking.data(ENDS, id=asset_id))
        for _ in range(50):
            await asyncio.sleep(0)
        sharing_of(first).tier.write(key, before, b"")  # which was on its way
        sharing_of(first).claims.end(claim)
        assert await anew == {"asset": {"metadata": {"lockExpiresAt": "2030-01-01T00:00:00Z"}}}
        await waiting


async def test_a_stale_document_of_another_replica_is_served_while_one_refresh_runs(redis_url: str) -> None:
    async with replicas(redis_url, gateway_retries=0) as (first, second):
        query = "{ assets(first: 1) { nodes { assetId } } }"
        answer = await first.data(query)
        assert len(first.calls) == 1
        await heard_by_all(first)
        first.clock.advance(6)
        first.sandbox.faults.add(Fault(upstream="scenario", status=503, times=1))
        assert await second.data(query) == answer
        await until(lambda: len(second.sandbox.scenario.calls) == 1)


async def test_a_change_made_by_one_replica_is_seen_by_the_other_at_once(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        asset_id = first.asset_ids[0]
        query = f'{{ asset(assetId: "{asset_id}") {{ assetId }} assets(first: 1) {{ nodes {{ assetId }} }} }}'
        await first.data(query)
        await heard_by_all(first)
        await second.data(query)
        assert len(second.calls) == 2
        await first.data(LOCK, id=asset_id)
        await heard_by_all(first)
        assert [method for method, _ in first.calls] == ["PUT"]
        await second.data(query)
        assert ("GET", "/assets") in second.calls
        generations = [world.gateway.store.generations.current for world in (first, second)]
        assert generations[0] == generations[1] != {}


async def test_an_answer_that_is_kept_is_over_when_another_replica_changes_what_a_list_holds(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        query = "{ assets(first: 1) { nodes { assetId } } }"
        for calls in (1, 0):
            await second.data(query)
            assert len(second.calls) == calls
        first.sources.scenario.upstream.drop_all(first.sources.scenario.kinds.asset_page)
        await heard_by_all(first)
        await second.data(query)
        assert second.calls == [("GET", "/assets")]


async def test_of_two_replicas_that_change_the_same_at_once_the_later_is_heeded_by_both(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        upstream, kind = first.sources.scenario.upstream, first.sources.scenario.kinds.asset_page
        upstream.drop_all(kind)
        ((name, begun),) = first.gateway.store.generations.current.items()
        sharing_of(first).tier.link.hear(sharing_of(second).tier.news("generation", name, "before"))
        await heard_by_all(first)
        generations = [world.gateway.store.generations.current for world in (first, second)]
        assert generations == [{name: begun}] * 2


async def test_who_missed_its_own_news_of_a_change_heeds_the_next_change_of_another_replica(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        kind, link = first.sources.scenario.kinds.asset_page, sharing_of(first).tier.link
        hear, link.hear = link.hear, lambda _: None  # as if it did not come
        first.sources.scenario.upstream.drop_all(kind)
        await heard_by_all(first)
        link.hear = hear
        link.leave(ConnectionError())  # as if an answer had not come
        await until(lambda: link.is_up)
        second.sources.scenario.upstream.drop_all(kind)
        await heard_by_all(second)
        generations = [world.gateway.store.generations.current for world in (first, second)]
        assert generations[0] == generations[1]


async def test_what_was_asked_for_before_a_drop_is_not_written_after_it(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        asset_id = first.asset_ids[0]
        query = f'{{ asset(assetId: "{asset_id}") {{ assetId }} }}'
        upstream = first.sources.scenario.upstream
        kind = first.sources.scenario.kinds.asset
        await first.data(query)
        await heard_by_all(first)
        kept = upstream.peek(kind, asset_id)
        assert kept is not None
        await upstream.drop(kind, asset_id)
        sharing_of(second).tier.write(upstream.key(kind, asset_id), kept, b"")
        await heard_by_all(second)
        found = await sharing_of(second).tier.find([upstream.key(kind, asset_id)])
        assert found.documents == {}
        sharing_of(second).tier.write(upstream.key(kind, asset_id), kept, *found.marks.values())
        await heard_by_all(second)
        assert list((await sharing_of(first).tier.find([upstream.key(kind, asset_id)])).documents.values())


async def test_what_was_asked_for_between_two_drops_is_not_written_after_the_second(redis_url: str) -> None:
    async with replicas(redis_url, number=1) as (only,):
        asset_id, key, before = await fetched(only)
        upstream, kind, tier = only.sources.scenario.upstream, only.sources.scenario.kinds.asset, sharing_of(only).tier
        await upstream.drop(kind, asset_id)
        between = (await tier.find([key])).marks[key]
        await upstream.drop(kind, asset_id)
        tier.write(key, before, between)
        await heard_by_all(only)
        assert (await tier.find([key])).documents == {}


async def test_that_a_fetch_has_landed_is_told_after_what_it_found_was_written(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url, number=1) as (only,):
        with server.client.monitor() as heard:  # type: ignore[no-untyped-call] # redis-py's
            _, key, _ = await fetched(only)
            await heard_by_all(only)
            server.client.echo("the end")
            commands = list(iter(lambda: heard.next_command()["command"], "ECHO the end"))
        written, ended = (f"SET {NAMESPACE}{key} ", f"DEL {NAMESPACE}claim:")
        order = [each[:3] for each in commands if each.startswith((written, ended))]
        assert order == ["SET", "DEL"]


async def test_an_asset_as_it_was_before_a_lock_is_not_written_after_it_whoever_wrote_since(redis_url: str) -> None:
    async with replicas(redis_url, number=3) as (first, second, third):
        asset_id = first.asset_ids[0]
        upstream, kind = first.sources.scenario.upstream, first.sources.scenario.kinds.asset
        await first.data(ENDS, id=asset_id)
        before = upstream.peek(kind, asset_id)
        assert before is not None
        await first.data(LOCK, id=asset_id)
        for reader in (second, third):
            await heard_by_all(first, second)
            sharing_of(second).tier.write(upstream.key(kind, asset_id), before, b"")  # which was on its way
            await heard_by_all(second)
            answer = await reader.data(ENDS, id=asset_id)
            assert answer == {"asset": {"metadata": {"lockExpiresAt": "2030-01-01T00:00:00Z"}}}
        assert [method for method, _ in first.calls] == ["GET", "PUT", "GET"]


async def test_what_was_fetched_beside_another_replica_is_not_written_after_a_drop_that_came_meanwhile(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url) as (first, second):
        asset_id = first.asset_ids[0]
        key = first.sources.scenario.upstream.key(first.sources.scenario.kinds.asset, asset_id)
        claim = await sharing_of(first).claims.claim([key])
        assert claim is not None
        second.sandbox.faults.add(Fault(upstream="scenario", delay=0.5))
        reading = asyncio.create_task(second.data(ENDS, id=asset_id))
        await until(lambda: second.sandbox.scenario.calls)
        server.client.eval(DROP, 2, NAMESPACE + key, DROPPED + key, "mark", "10000", "unheard", "")
        sharing_of(first).claims.end(claim)
        await reading
        await heard_by_all(second)
        found = await sharing_of(first).tier.find([key])
        assert (found.documents, found.marks) == ({}, {key: b"mark"})


async def test_a_hundred_identical_queries_on_each_of_two_replicas_are_one_call(redis_url: str) -> None:
    async with replicas(redis_url) as worlds:
        scan_id = worlds[0].sandbox.prism.scan_ids("PROCESSING")[0]
        worlds[0].sandbox.faults.add(Fault(upstream="prism", delay=0.02))
        query = f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}'
        answers = await asyncio.gather(*(world.data(query) for world in worlds * 100))
        assert answers == [answers[0]] * 200
        assert len(worlds[0].calls) == 1


async def test_who_waits_for_a_fetch_that_takes_too_long_makes_its_own(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        scan_id = first.sandbox.prism.scan_ids("PROCESSING")[0]
        first.sandbox.faults.add(Fault(upstream="prism", delay=30, times=1))
        query = f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}'
        stuck = asyncio.create_task(first.data(query))
        await until(lambda: len(first.sandbox.prism.calls) == 1)
        assert await second.data(query) == {"scan": {"assets": {"isReady": False}}}
        assert sharing_of(second).tier.counts.awaited == 1
        stuck.cancel()


async def test_who_gets_what_another_replica_fetched_ends_the_call_that_it_made_beside_that(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        asset_id, key, document = await fetched(first)
        await first.sources.scenario.upstream.forget(first.sources.scenario.kinds.asset, asset_id)
        mark = (await sharing_of(first).tier.find([key])).marks[key]
        claim = await sharing_of(first).claims.claim([key])
        assert claim is not None
        second.sandbox.faults.add(Fault(upstream="scenario", delay=60))
        second.forget_calls()
        reading = asyncio.create_task(second.data(ENDS, id=asset_id))
        await until(lambda: second.sandbox.scenario.calls)
        assert sum(counted(second.app, "upstream_calls_in_flight").values()) == 1
        sharing_of(first).tier.write(key, document, mark)
        sharing_of(first).claims.end(claim)
        assert await reading == {"asset": {"metadata": {"lockExpiresAt": None}}}
        await until(lambda: not counted(second.app, "upstream_calls_in_flight"))


async def test_a_fetch_that_was_given_up_is_not_waited_for_by_those_who_come_after_it(redis_url: str) -> None:
    async with replicas(redis_url) as worlds:
        first, second = worlds
        first.sandbox.faults.add(Fault(upstream="scenario", delay=60, times=1))
        given_up = asyncio.create_task(first.data(ENDS, id=first.asset_ids[0]))
        await until(lambda: first.sandbox.scenario.calls)
        given_up.cancel()
        await asyncio.wait([given_up])
        await heard_by_all(*worlds)
        await second.data(ENDS, id=first.asset_ids[0])
        counts = sharing_of(second).tier.counts
        assert (counts.claimed, counts.awaited) == (1, 0)


async def test_what_is_signed_for_years_is_kept_by_redis_for_a_week(redis_url: str, server: RedisServer) -> None:
    async with replicas(redis_url, number=1) as (only,):
        years = only.clock() + 10 * 365 * 86_400
        document = Document("asset", "a", b"{}", only.clock(), years, years)
        sharing_of(only).tier.write("scenario:scope:asset:0:a", document, b"")
        await heard_by_all(only)
        life = server.client.ttl(f"{NAMESPACE}scenario:scope:asset:0:a")
        assert 0.9 * WEEK < life <= WEEK


async def test_nonsense_under_a_key_is_a_miss_and_is_counted(redis_url: str, server: RedisServer) -> None:
    async with replicas(redis_url) as (first, second):
        answer = await first.data(join(first))
        await heard_by_all(first)
        assert len(first.calls) == 5
        documents = [key for key in server.client.keys("gateway:*:*:*:*") if b"claim" not in key]
        for key, nonsense in zip(documents, (b"", b"\x00", b"null", b"\x99" * 40, None), strict=True):
            if nonsense is None:
                server.client.delete(key)
                server.client.lpush(key, "a list")
            else:
                server.client.set(key, nonsense)
        assert await second.data(join(second)) == answer
        assert sharing_of(second).tier.counts.unreadable == 4


async def test_an_answer_from_memory_asks_redis_nothing(redis_url: str) -> None:
    async with replicas(redis_url) as (first, _):
        await first.data(join(first))
        await heard_by_all(first)
        asked = sharing_of(first).tier.link.counts.asked
        for _ in range(10):
            await first.data(join(first))
        assert sharing_of(first).tier.link.counts.asked == asked


async def test_a_change_does_not_wait_for_what_is_written_after_it(redis_url: str) -> None:
    async with replicas(redis_url) as (first, second):
        upstream, kind = first.sources.scenario.upstream, first.sources.scenario.kinds.asset
        await first.data("query ($id: ID!) { asset(assetId: $id) { kind } }", id=first.asset_ids[0])
        kept = upstream.peek(kind, first.asset_ids[0])
        assert kept is not None

        async def write_on() -> None:
            while True:
                sharing_of(first).tier.write(upstream.key(kind, first.asset_ids[0]), kept, b"")
                await asyncio.sleep(0)

        writing = asyncio.create_task(write_on())
        await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            await upstream.drop(kind, "a")
        writing.cancel()
        await asyncio.wait([writing])
        assert (await sharing_of(second).tier.find([upstream.key(kind, "a")])).marks != {}


async def test_large_documents_that_come_together_are_written_in_several_steps(redis_url: str) -> None:
    async with replicas(redis_url, number=1) as (only,):
        upstream, kind = only.sources.scenario.upstream, only.sources.scenario.kinds.asset
        tier = sharing_of(only).tier
        for number in range(20):
            body = b'"%b"' % randbytes(500_000).hex().encode()
            document = make_document(replace(kind, lifetime=lambda *_: Lifetime(60)), str(number), body, only.clock())
            tier.write(upstream.key(kind, str(number)), document, b"")
        await heard_by_all(only)
        assert (tier.counts.written, tier.link.counts.asked, tier.link.counts.failures) == (20, 20, 0)


async def test_what_was_still_to_be_written_when_redis_was_lost_is_not_written_after_a_drop_that_came_meanwhile(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url) as (first, second):
        asset_id = first.asset_ids[0]
        upstream, kind = first.sources.scenario.upstream, first.sources.scenario.kinds.asset
        key = upstream.key(kind, asset_id)
        await first.data(ENDS, id=asset_id)
        kept = upstream.peek(kind, asset_id)
        assert kept is not None
        link = sharing_of(first).tier.link
        link._pause = 1  # noqa: SLF001 - as if it had failed some times already
        sharing_of(first).tier.write(key, kept, b"")
        link.leave(ConnectionError())  # as if an answer had not come
        await second.sources.scenario.upstream.drop(kind, asset_id)
        server.client.delete(DROPPED + key)  # as it is after half a minute
        assert not link.is_up
        await until(lambda: link.is_up)
        assert (await sharing_of(second).tier.find([key])).documents == {}


async def test_who_asks_after_a_change_does_not_wait_for_what_was_asked_here_before_it(redis_url: str) -> None:
    async with replicas(redis_url, number=1) as (only,):
        asset_id = only.asset_ids[0]
        only.sandbox.faults.add(Fault(path=f"/assets/{asset_id}$", delay=60, times=1))
        before = asyncio.create_task(only.data(ENDS, id=asset_id))
        await until(lambda: sharing_of(only).tier.counts.claimed)
        await only.data(LOCK, id=asset_id)
        await only.sources.scenario.upstream.drop(only.sources.scenario.kinds.asset, asset_id)
        assert await only.data(ENDS, id=asset_id) == {"asset": {"metadata": {"lockExpiresAt": "2030-01-01T00:00:00Z"}}}
        counts = sharing_of(only).tier.counts
        assert (counts.claimed, counts.awaited) == (1, 0)
        before.cancel()
        await asyncio.wait([before])
