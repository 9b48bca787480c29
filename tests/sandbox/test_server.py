"""The sandbox behind a real server, where a cut connection is a closed socket."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
import uvicorn

from gateway.sandbox import Fault, Sandbox
from tests.sandbox.conftest import PRISM_HEADERS


@pytest_asyncio.fixture
async def address(sandbox: Sandbox) -> AsyncIterator[str]:
    config = uvicorn.Config(sandbox.app, port=0, log_level="critical", lifespan="off")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    await server.shutdown()


async def test_a_scan_is_served(address: str, sandbox: Sandbox) -> None:
    scan_id = sandbox.prism.scan_ids("READY")[0]
    async with httpx.AsyncClient(base_url=address, headers=PRISM_HEADERS) as client:
        answer = await client.get(f"/prism/scans/{scan_id}")
        hostile = await client.get(f"/prism/scans/{scan_id}%2Fscan-assets")
    assert answer.json()["status"] == "READY"
    assert hostile.status_code == 404
    assert sandbox.prism.calls == [("GET", f"/scans/{scan_id}"), ("GET", f"/scans/{scan_id}%2Fscan-assets")]


async def test_a_dry_run_is_answered_with_a_status_that_has_no_name(address: str, sandbox: Sandbox) -> None:
    asset_id = next(asset["id"] for asset in sandbox.scenario.assets.values() if asset["ownerId"] == sandbox.project_id)
    body = {
        "options": {"fileNameTemplate": "<id>"},
        "query": {"assetIds": [asset_id], "inferenceIds": [], "modelIds": []},
    }
    auth = (sandbox.scenario_api_key, sandbox.scenario_api_secret)
    async with httpx.AsyncClient(base_url=address, auth=auth) as client:
        answer = await client.post("/scenario/v1/assets/download?dryRun=true", json=body)
    assert answer.status_code == 269


async def test_a_cut_connection_breaks_off_in_the_body(address: str, sandbox: Sandbox) -> None:
    sandbox.faults.add(Fault(cut=True, times=1))
    async with httpx.AsyncClient(base_url=address) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            await client.get("/scenario/v1/assets")
        assert (await client.get("/scenario/v1/assets")).status_code == 401
