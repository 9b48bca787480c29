"""What HTTP caches are told, what is not sent twice, and how a client gets past what is kept."""

import asyncio
import math
from typing import Any

import httpx
import pytest

from gateway.http.caching import max_age
from gateway.sandbox import Fault
from tests.world import World, world

PAGE = "{ assets(first: 2) { nodes { assetId } } }"
MUTATION = 'mutation { unlockAsset(input: { assetId: "asset_1" }) { userErrors { code } } }'
NO_CACHE = {"cache-control": "no-cache"}


async def get(gateway: World, query: str, headers: dict[str, str] | None = None) -> httpx.Response:
    return await gateway.client.get("/graphql", params={"query": query}, headers=headers)


async def post(gateway: World, query: str, headers: dict[str, str] | None = None) -> httpx.Response:
    return await gateway.client.post("/graphql", json={"query": query}, headers=headers)


def told(answer: httpx.Response) -> tuple[str | None, bool]:
    """What `Cache-Control` says, and whether there is a tag."""
    return answer.headers.get("cache-control"), "etag" in answer.headers


async def test_a_get_may_be_kept_as_long_as_its_least_fresh_document(gateway: World) -> None:
    ready = gateway.sandbox.prism.scan_ids("READY")[0]
    scan = f'scan(scanId: "{ready}") {{ assets {{ isReady }} }}'
    assert told(await get(gateway, f"{{ {scan} }}")) == ("private, max-age=300", True)
    assert told(await get(gateway, f"{{ {scan} assets {{ nodes {{ assetId }} }} }}")) == ("private, max-age=5", True)
    gateway.clock.advance(2.5)
    assert told(await get(gateway, f"{{ {scan} assets {{ nodes {{ assetId }} }} }}")) == ("private, max-age=2", True)
    gateway.clock.advance(2)
    assert told(await get(gateway, f"{{ {scan} assets {{ nodes {{ assetId }} }} }}")) == ("private, no-cache", True)


async def test_what_depends_on_no_document_is_asked_for_again_by_its_tag(gateway: World) -> None:
    assert told(await get(gateway, "{ __typename }")) == ("private, no-cache", True)


async def test_a_stale_answer_is_asked_for_again(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    query = f'{{ scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}'
    await get(gateway, query)
    gateway.sandbox.faults.add(Fault(upstream="prism", status=503))
    gateway.clock.advance(400)
    answer = await get(gateway, query)
    assert answer.json()["data"]["scan"]["assets"] == {"isReady": True}
    assert told(answer) == ("private, no-cache", True)


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nothing }",
        '{ node(id: "nonsense") { id } }',
        '{ scan(scanId: "s") { assets { isReady } } a: __typename }',
    ],
)
async def test_an_answer_with_an_error_is_kept_by_nobody(query: str, gateway: World) -> None:
    gateway.sandbox.faults.add(Fault(upstream="prism", status=503))
    answer = await get(gateway, query, {"if-none-match": "*"})
    assert "errors" in answer.json()
    assert told(answer) == ("no-store", False)


async def test_a_refused_request_is_kept_by_nobody(gateway: World) -> None:
    for answer in (await get(gateway, ""), await get(gateway, MUTATION), await gateway.client.put("/graphql")):
        assert told(answer) == ("no-store", False)


async def test_a_post_says_it_where_the_client_shows_that_it_caches(gateway: World) -> None:
    assert told(await post(gateway, PAGE)) == (None, False)
    assert "vary" not in (await post(gateway, PAGE)).headers
    for headers in ({"cache-control": "max-age=60"}, {"if-none-match": '"x"'}):
        answer = await post(gateway, PAGE, headers)
        assert told(answer) == ("private, max-age=5", True)
        assert answer.headers["vary"] == "accept, authorization"


async def test_a_change_is_kept_by_nobody_and_always_answered(gateway: World) -> None:
    answer = await post(gateway, MUTATION, {"if-none-match": "*", "cache-control": "max-age=60"})
    assert (answer.status_code, *told(answer)) == (200, "no-store", False)


@pytest.mark.parametrize("ask", [get, post])
async def test_an_answer_that_the_client_has_is_not_sent_again(ask: Any, gateway: World) -> None:
    first = await ask(gateway, PAGE, {"if-none-match": '"unknown"'})
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    for header in (tag, tag.removeprefix("W/"), f'"a", {tag} , W/"b"', "*"):
        again = await ask(gateway, PAGE, {"if-none-match": header, "x-request-id": "a"})
        assert (again.status_code, again.content) == (304, b"")
        assert dict(again.headers) == {
            "cache-control": "private, max-age=5",
            "etag": tag,
            "vary": "accept, authorization",
            "x-request-id": "a",
        }
    for header in ('"a"', "", tag.strip('W/"'), f"{tag[:-1]}", 'W/"'):
        assert (await ask(gateway, PAGE, {"if-none-match": header})).json() == first.json()


async def test_another_answer_has_another_tag(gateway: World) -> None:
    tags = [(await get(gateway, query)).headers["etag"] for query in (PAGE, "{ __typename }", "{ a: __typename }")]
    assert len(set(tags)) == 3


async def test_the_answers_vary_with_what_is_accepted_and_who_asks(gateway: World) -> None:
    assert (await get(gateway, PAGE)).headers["vary"] == "accept, authorization"
    assert (await gateway.client.get("/graphql", headers={"accept": "text/html"})).headers["vary"] == "accept"


@pytest.mark.parametrize("ask", [get, post])
async def test_a_client_that_says_no_cache_gets_what_the_upstream_says_now_and_others_get_that_too(
    ask: Any, gateway: World
) -> None:
    asset_id = gateway.asset_ids[0]
    query = f'{{ asset(assetId: "{asset_id}") {{ name }} }}'
    before = (await ask(gateway, query)).json()
    gateway.sandbox.scenario.assets[asset_id]["metadata"]["name"] = "renamed"
    gateway.clock.advance(1)
    assert (await ask(gateway, query)).json() == before
    assert len(gateway.calls) == 1
    after = {"data": {"asset": {"name": "renamed"}}}
    assert (await ask(gateway, query, NO_CACHE)).json() == after
    assert len(gateway.calls) == 1
    assert (await ask(gateway, query)).json() == after
    assert gateway.calls == []


async def test_no_cache_passes_by_every_kind_of_document_once(gateway: World) -> None:
    scan_id = gateway.sandbox.prism.scan_ids("READY")[0]
    query = f"""{{ {PAGE[1:-1]} scan(scanId: "{scan_id}") {{ status assets {{ isReady }} assetUrls {{ model }}
      assetUrl(type: MODEL) {{ url }} }} again: scan(scanId: "{scan_id}") {{ assets {{ isReady }} }} }}"""
    await post(gateway, query)
    first = gateway.calls
    gateway.clock.advance(1)
    await post(gateway, query)
    assert gateway.calls == []
    await post(gateway, query, NO_CACHE)
    assert gateway.calls == first
    assert len(first) == 3


async def test_no_cache_passes_by_whole_answers_and_keeps_the_new_one() -> None:
    async with world({"gateway_answers": True}) as gateway:
        for wait, headers, calls in ((0, {}, 1), (1, {}, 0), (1, NO_CACHE, 1), (4, {}, 0)):
            gateway.clock.advance(wait)
            await post(gateway, PAGE, headers)
            assert len(gateway.calls) == calls


async def test_no_cache_gets_the_upstreams_failure_rather_than_what_is_kept(gateway: World) -> None:
    await post(gateway, PAGE)
    gateway.sandbox.faults.add(Fault(upstream="scenario", status=503, times=1, headers={"x-should-retry": "false"}))
    gateway.clock.advance(1)
    assert (await post(gateway, PAGE, NO_CACHE)).json()["data"] == {"assets": None}
    assert (await post(gateway, PAGE)).json()["data"]["assets"]


async def test_refreshes_at_the_same_time_are_one_call(gateway: World) -> None:
    await post(gateway, PAGE)
    gateway.clock.advance(1)
    assert len(gateway.calls) == 1
    await asyncio.gather(*(post(gateway, PAGE, NO_CACHE) for _ in range(5)))
    assert len(gateway.calls) == 1


async def test_max_age_takes_what_is_young_enough(gateway: World) -> None:
    for wait, header, calls in ((0, "max-age=3", 1), (2, "max-age=3", 0), (2, "max-age=3", 1), (1, "max-age=0", 1)):
        gateway.clock.advance(wait)
        await post(gateway, PAGE, {"cache-control": header})
        assert len(gateway.calls) == calls


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("no-cache", 0),
        ("No-Cache", 0),
        ("max-age=60, no-cache", 0),
        ("max-age=60", 60),
        ("max-age=60,max-age=30", 30),
        (" MAX-AGE=5 ", 5),
        ("max-age=", math.inf),
        ("max-age=-1", math.inf),
        ("max-age=x", math.inf),
        ("max-age=99999999999999999999", math.inf),
        ("max-stale, only-if-cached", math.inf),
        ("no-store", math.inf),
        ("", math.inf),
    ],
)
def test_how_old_a_kept_document_may_be(header: str, seconds: float) -> None:
    assert max_age(header.encode()) == seconds


async def test_the_operator_may_keep_clients_from_passing_by_what_is_kept() -> None:
    async with world({"gateway_client_refresh": False}) as gateway:
        await post(gateway, PAGE)
        gateway.clock.advance(1)
        answer = await post(gateway, PAGE, NO_CACHE)
        assert told(answer) == ("private, max-age=4", True)
        assert len(gateway.calls) == 1
