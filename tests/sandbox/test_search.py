"""The simulated tags and search: who judges them is Scenario's own client, and for what it has no words, the rules."""

from typing import Any

import httpx
import pytest
import pytest_asyncio
import scenario_sdk
from scenario_sdk import AsyncScenario

from gateway.sandbox import Sandbox
from gateway.scenario import wire
from tests.sandbox.conftest import Clock
from tests.sandbox.test_official_client import ids, judge, own

TAG = "prism-scan:a"


@pytest_asyncio.fixture
async def client(sandbox: Sandbox) -> Any:
    async with judge(sandbox) as client:
        yield client


async def found(client: AsyncScenario, filter_: str = f'tags = "{TAG}"', **others: Any) -> list[str]:
    """What the client finds, page after page; going on by itself, it would say the next offset in the URL."""
    found: list[str] = []
    while True:
        page = await client.search.asset_search(filter=filter_, offset=len(found), limit=2, **others)
        assert page.offset == len(found)
        found += [asset.id for asset in page.hits]
        if not page.hits or len(found) >= (page.estimated_total_hits or 0):
            return found


async def test_tags_are_changed_as_often_as_one_likes(client: AsyncScenario, sandbox: Sandbox) -> None:
    asset = own(sandbox)[0]
    added = await client.assets.update_tags(asset["id"], add=[TAG, "b", TAG], strict=False)
    again = await client.assets.update_tags(asset["id"], add=["b"], delete=[TAG, "unknown"], strict=False)
    assert (added.added, added.deleted) == ([TAG, "b"], [])
    assert (again.added, again.deleted) == ([], [TAG])
    assert (await client.assets.retrieve(asset["id"])).asset.tags == [*asset["tags"], "b"]
    with pytest.raises(scenario_sdk.ConflictError):
        await client.assets.update_tags(asset["id"], add=["b"], strict=True)


async def test_tags_of_anothers_assets_are_not_changed(client: AsyncScenario, sandbox: Sandbox) -> None:
    theirs = next(a["id"] for a in sandbox.scenario.assets.values() if a["ownerId"] == sandbox.other_project_id)
    with pytest.raises((scenario_sdk.PermissionDeniedError, scenario_sdk.NotFoundError)):
        await client.assets.update_tags(theirs, add=[TAG])
    with pytest.raises(scenario_sdk.NotFoundError):
        await client.assets.update_tags("asset_unknown", add=[TAG])


async def test_the_client_pages_through_what_it_searches_once_search_knows(
    client: AsyncScenario, sandbox: Sandbox, clock: Clock
) -> None:
    assets: list[wire.Asset] = own(sandbox)[:5]
    for asset in assets:
        await client.assets.update_tags(asset["id"], add=[TAG])
    assert await found(client) == []
    clock.now += 2
    assert await found(client, sort_by=["createdAt:desc"]) == ids(assets)
    assert await found(client, sort_by=["createdAt:asc"]) == ids(assets)[::-1]
    assert await found(client, f'tags = "{TAG.upper()}" AND kind = "{assets[0]["kind"]}"') != []
    await client.assets.update_tags(assets[0]["id"], delete=[TAG])
    assert len(await found(client)) == 5
    clock.now += 2
    assert len(await found(client)) == 4


async def test_a_page_goes_by_its_number_too(client: AsyncScenario, sandbox: Sandbox) -> None:
    answer = await client.search.asset_search(query="prism-scan:", page=2, hits_per_page=30)
    linked = [asset for asset in own(sandbox) if any(tag.startswith("prism-scan:") for tag in asset["tags"])]
    assert len(linked) == 3 * len(sandbox.prism.scans)
    assert len(answer.hits) == 30
    assert answer.estimated_total_hits is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filter": ""},
        {"filter": "tags"},
        {"filter": 'tags = "a" OR'},
        {"filter": 'name CONTAINS "a"'},
        {"filter": 'description = "a"'},
        {"query": "a", "limit": 101},
        {"query": "a", "offset": -1},
        {"query": "a", "sortBy": ["name:asc"]},
        {"query": 7},
    ],
    ids=str,
)
async def test_a_search_that_breaks_a_rule_is_a_bad_request(scenario: httpx.AsyncClient, body: Any) -> None:
    assert (await scenario.post("/search/assets", json=body)).status_code == 400
