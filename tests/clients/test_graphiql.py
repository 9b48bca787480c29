"""GraphiQL in a real browser: what a person does with it, every other host being out of reach."""

from pathlib import Path
from typing import Any

import httpx

from tests.clients.conftest import Node

SCREENSHOTS = Path(__file__).parents[2] / "artifacts"
COURSE = ["PENDING", "QUEUED", "WARMING_UP", "IN_PROGRESS", "FINALIZING", "SUCCESS"]


async def test_graphiql_queries_completes_and_subscribes_from_its_own_origin(
    demo_url: str, node: Node, browser: str
) -> None:
    seen = await node("graphiql.mjs", demo_url, browser, str(SCREENSHOTS))
    assert (seen["complaints"], seen["origins"]) == ([], [demo_url.removesuffix("/graphql")])
    assert seen["tabs"] == ["Join", "Page", "Download", "LiveDownload", "LiveScan"]
    for name in ("paged", "join", "completed"):
        assert seen[name]["answer"]["data"] == await data_of(demo_url, seen[name]["request"])
    assert seen["paged"]["request"]["operationName"] == "Page"
    assert seen["join"]["answer"]["extensions"] == {"upstreamCalls": {"prism": 2, "scenario": 3}}
    assert seen["offered"] == ["deviceConfigName"]
    assert seen["completed"]["answer"]["data"]["scan"]["deviceConfigName"] == "IPHONE_SCANNER"
    assert seen["requested"]["authorization"] == "Bearer of-the-page"
    statuses = [status for (status,) in seen["download"].pop("states")]
    assert statuses == [status for status in COURSE if status in statuses]
    assert statuses[-1] == "SUCCESS"
    assert seen["download"] == {
        "accept": "text/event-stream",
        "authorization": "Bearer of-the-page",
        "isOver": True,
    }
    assert len(seen["scan"].pop("states")) == 2
    assert seen["scan"] == {"accept": "text/event-stream", "isOver": False}


async def data_of(url: str, request: dict[str, Any]) -> Any:
    """What the gateway answers when it is asked the same without a browser."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(url, json=request)).json()["data"]


async def test_on_a_phone_nothing_is_cut_off_or_too_small_to_touch(demo_url: str, node: Node, browser: str) -> None:
    seen = await node("graphiql_phone.mjs", demo_url, browser, str(SCREENSHOTS))
    whole: dict[str, list[str]] = {"small": [], "cut": []}
    assert (seen["start"], seen["answered"], seen["settings"]) == (whole, whole, whole)
    assert seen["panels"] == {
        name: whole | {"width": 390, "height": 784}
        for name in ("Documentation Explorer", "History", "GraphiQL Explorer")
    }
    assert [size["width"] for size in seen["rooms"].values()] == [390, 390]
    assert min(size["height"] for size in seen["rooms"].values()) >= 200
