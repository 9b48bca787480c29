"""Faults on demand, through Python and over HTTP."""

import httpx
import pytest

from gateway.sandbox import Fault, Sandbox
from tests.sandbox.conftest import URL, Clock, scenario_of


async def statuses(client: httpx.AsyncClient, path: str, count: int) -> list[int]:
    return [(await client.get(path)).status_code for _ in range(count)]


async def test_a_fault_hits_as_many_calls_as_it_says(scenario: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(upstream="scenario", status=503, times=2))
    assert await statuses(scenario, "/assets", 4) == [503, 503, 200, 200]
    assert sandbox.scenario.calls == [("GET", "/assets")] * 4


async def test_a_fault_hits_only_calls_that_match(
    scenario: httpx.AsyncClient, prism: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault(upstream="scenario", method="GET", path="^/assets/asset_.*$", status=500))
    assert await statuses(scenario, "/assets", 1) == [200]
    assert (await scenario.post("/assets/asset_1/download")).status_code == 404
    assert await statuses(prism, "/assets/asset_1", 1) == [404]
    assert await statuses(scenario, "/assets/asset_1", 2) == [500, 500]
    sandbox.faults.clear()
    assert await statuses(scenario, "/assets/asset_1", 1) == [404]


async def test_a_fault_of_some_probability_hits_the_same_calls_for_the_same_seed(clock: Clock) -> None:
    seen = []
    for _ in range(2):
        sandbox = Sandbox(seed=5, clock=clock, url=URL)
        sandbox.faults.add(Fault(status=500, probability=0.5))
        async with scenario_of(sandbox) as scenario:
            seen.append(await statuses(scenario, "/assets/asset_1", 20))
    assert seen[0] == seen[1]
    assert set(seen[0]) == {404, 500}


async def test_the_first_fault_that_matches_wins(scenario: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(status=500, times=1))
    sandbox.faults.add(Fault(status=502))
    assert await statuses(scenario, "/assets", 2) == [500, 502]


async def test_each_upstream_fails_in_its_own_words(
    scenario: httpx.AsyncClient, prism: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    sandbox.faults.add(Fault(status=503))
    assert (await prism.get("/scans/1")).json() == {"message": "Service Unavailable", "statusCode": 503}
    assert (await scenario.get("/assets")).json() == {
        "status": "error",
        "code": "SERVICE_UNAVAILABLE",
        "message": "Service Unavailable",
    }
    assert "<Code>ServiceUnavailable</Code>" in (await browser.get("/cdn/thumbnails/1")).text


@pytest.mark.parametrize("status", [269, 499, 520])
async def test_a_fault_may_have_a_status_that_http_does_not_define(
    scenario: httpx.AsyncClient, prism: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox, status: int
) -> None:
    sandbox.faults.add(Fault(status=status))
    answers = [await prism.get("/scans/1"), await scenario.get("/assets"), await browser.get("/cdn/thumbnails/1")]
    assert [answer.status_code for answer in answers] == [status] * 3


async def test_a_fault_can_answer_anything(scenario: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(status=418, body="<h1>no</h1>", headers={"content-type": "text/html", "x-a": "b"}))
    answer = await scenario.get("/assets")
    assert (answer.status_code, answer.text) == (418, "<h1>no</h1>")
    assert (answer.headers["content-type"], answer.headers["x-a"]) == ("text/html", "b")
    sandbox.clear()
    sandbox.faults.add(Fault(status=200, body='{"assets": 1}'))
    answer = await scenario.get("/assets")
    assert (answer.json(), answer.headers["content-type"]) == ({"assets": 1}, "application/json")
    assert len(sandbox.scenario.calls) == 1


async def test_too_many_requests_says_when_to_come_back(scenario: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(upstream="scenario", retry_after=3, times=1))
    answer = await scenario.get("/assets")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.json() == {
        "message": "Too many requests",
        "details": {"actionName": "api-requests", "actionLimit": 100},
    }
    assert answer.headers["x-request-id"] == "scenario-000001"


async def test_a_cut_connection_raises_what_a_broken_one_does(scenario: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(cut=True))
    with pytest.raises(httpx.RemoteProtocolError):
        await scenario.get("/assets")
    assert sandbox.scenario.calls == [("GET", "/assets")]


async def test_a_malformed_body_is_half_of_the_right_one(scenario: httpx.AsyncClient, sandbox: Sandbox) -> None:
    right = await scenario.get("/assets")
    sandbox.faults.add(Fault(malformed=True))
    half = await scenario.get("/assets")
    assert half.status_code == 200
    assert half.content == right.content[: len(right.content) // 2]
    assert half.headers["content-type"] == "application/json"


async def test_a_delay_comes_before_the_answer(clock: Clock) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    sandbox = Sandbox(clock=clock, url=URL, sleep=sleep)
    sandbox.faults.add(Fault(delay=30, times=1))
    sandbox.faults.add(Fault(delay=2, status=500))
    async with scenario_of(sandbox) as scenario:
        assert await statuses(scenario, "/assets", 2) == [200, 500]
    assert waited == [30, 2]


async def test_a_path_that_is_no_regular_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="path is no regular expression: missing \\)"):
        Fault(path="(")


async def test_faults_can_be_given_over_http(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    added = await browser.post(
        "/sandbox/faults", json={"upstream": "scenario", "status": 503, "headers": {"x-a": "b"}, "times": 1}
    )
    assert added.status_code == 201
    assert await statuses(scenario, "/assets", 2) == [503, 200]
    assert (await browser.get("/sandbox/faults")).json() == {
        "faults": [
            {
                "upstream": "scenario",
                "method": None,
                "path": "",
                "times": 1,
                "probability": 1.0,
                "delay": 0.0,
                "cut": False,
                "status": 503,
                "body": None,
                "headers": {"x-a": "b"},
                "retry_after": None,
                "malformed": False,
                "hits": 1,
            }
        ]
    }
    assert (await browser.delete("/sandbox/faults")).status_code == 204
    assert sandbox.faults.as_json() == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"stauts": 500}', "a fault has no stauts"),
        (b'{"status": "500"}', "Expected `int | null`, got `str` - at `$.status`"),
        (b'{"path": "("}', "path is no regular expression: missing ), unterminated subpattern at position 0"),
        (b"{", "Input data was truncated"),
    ],
)
async def test_a_wrong_fault_is_refused(
    browser: httpx.AsyncClient, sandbox: Sandbox, body: bytes, message: str
) -> None:
    answer = await browser.post("/sandbox/faults", content=body)
    assert (answer.status_code, answer.json()) == (400, {"message": message})
    assert sandbox.faults.as_json() == []


async def test_calls_can_be_read_and_forgotten_over_http(
    scenario: httpx.AsyncClient, prism: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    await scenario.get("/assets")
    await prism.get("/scans/1")
    await browser.get("/cdn/thumbnails/1")
    assert (await browser.get("/sandbox/calls")).json() == {
        "prism": [["GET", "/scans/1"]],
        "scenario": [["GET", "/assets"]],
        "files": [["GET", "/cdn/thumbnails/1"]],
    }
    assert (await browser.delete("/sandbox/calls")).status_code == 204
    assert (await browser.get("/sandbox/calls")).json() == {"prism": [], "scenario": [], "files": []}


async def test_the_sandbox_says_where_everything_is(browser: httpx.AsyncClient, sandbox: Sandbox) -> None:
    overview = (await browser.get("/sandbox")).json()
    assert overview["prism"] == {"url": f"{URL}/prism", "apiKey": "sandbox-prism-api-key"}
    assert overview["scenario"] == {
        "url": f"{URL}/scenario/v1",
        "apiKey": "sandbox-scenario-api-key",
        "apiSecret": "sandbox-scenario-api-secret",
    }
    assert overview["scans"]["READY"] == sandbox.prism.scan_ids("READY")
    assert overview["live"] == [scan.scan_id for scan in sandbox.prism.scans.values() if scan.repeats] != []
    assert overview["assets"] == len(sandbox.scenario.assets)
