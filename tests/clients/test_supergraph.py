"""Apollo's and The Guild's composition take the gateway as a subgraph, and Apollo's query plans run over it."""

import json
from typing import Any

import httpx
import pytest

from gateway.graph.ids import global_id
from gateway.sandbox import Sandbox
from tests.clients.conftest import Node

PACK = 'mutation { requestBatchDownload(input: { assetIds: ["%s"] }) { downloadJob { jobId } } }'


@pytest.mark.parametrize("url", [{"gateway_federation": True, "gateway_report_calls": True}], indirect=True)
async def test_a_supergraph_of_the_gateway_and_another_subgraph_composes_and_answers(url: str, node: Node) -> None:
    sandbox = Sandbox()  # the same data as behind the gateway
    scan_ids, asset_ids = sandbox.prism.scan_ids("READY")[:2], sorted(sandbox.scenario.assets)[:2]
    async with httpx.AsyncClient(trust_env=False) as client:
        packed = (await client.post(url, json={"query": PACK % asset_ids[0]})).json()
    job_id = packed["data"]["requestBatchDownload"]["downloadJob"]["jobId"]
    fittings: list[dict[str, Any]] = [
        {
            "fittingId": f"fitting_{number}",
            "scan": {"__typename": "Scan", "scanId": scan_id},
            "picture": {"__typename": "Asset", "assetId": asset_id},
            "pack": {"__typename": "DownloadJob", "id": global_id("DownloadJob", job_id)},
        }
        for number, (scan_id, asset_id) in enumerate(zip(scan_ids, asset_ids, strict=True))
    ]

    report = await node("supergraph.mjs", url, json.dumps(fittings))

    assert (report["apollo"], report["guild"], report["errors"]) == ([], [], [])
    assert report["data"] == {
        "fittings": [
            {
                "fittingId": fitting["fittingId"],
                "scan": {**fitting["scan"], "status": "READY", "assets": {"isReady": True}},
                "picture": {**fitting["picture"], "kind": sandbox.scenario.assets[asset_id]["kind"].upper()},
                "pack": {**fitting["pack"], "jobId": job_id},
            }
            for fitting, asset_id in zip(fittings, asset_ids, strict=True)
        ]
    }
    assert sorted(report["fetches"], key=json.dumps) == [
        {"representations": [fitting["picture"] for fitting in fittings], "calls": {"scenario": 1}},
        {"representations": [fitting["pack"] for fitting in fittings], "calls": {"scenario": 1}},
        {"representations": [fitting["scan"] for fitting in fittings], "calls": {"prism": 2}},
    ]
