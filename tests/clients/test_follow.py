"""Clients follow a scan and a download to their ends, each by its own protocol, and ask and change by it too."""

import asyncio
from itertools import groupby
from typing import Any

import pytest
from gql import Client, GraphQLRequest
from gql.client import AsyncClientSession
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

from gateway.sandbox import Sandbox
from tests.clients.conftest import SECONDS, Node, Served, serve

HALF_WAY = 8  # calls, which are seconds of a scan's fourteen
JOB = ("QUEUED", "WARMING_UP", "IN_PROGRESS", "FINALIZING", "SUCCESS")
STAGES = ("captureData", "body", "fittedBody", "measurement")
SCAN = f"""subscription Scan($scanId: ID!) {{
  scanUpdated(scanId: $scanId) {{ status assets {{ {" ".join(f"{stage} {{ status }}" for stage in STAGES)} }} }}
}}"""
DOWNLOAD = "subscription Download($jobId: ID!) { downloadJobUpdated(jobId: $jobId) { status isFinal } }"
REQUEST = """mutation Request($assetId: ID!) {
  requestBatchDownload(input: { assetIds: [$assetId] }) { downloadJob { jobId status } }
}"""


def scan(status: str, *stages: str) -> dict[str, Any]:
    """A scan with the statuses of the stages that have begun."""
    statuses = [*stages, *["PENDING"] * (len(STAGES) - len(stages))]
    assets = {stage: {"status": its} for stage, its in zip(STAGES, statuses, strict=True)}
    return {"scanUpdated": {"status": status, "assets": assets}}


SCANS = [
    scan("CREATED"),
    scan("PROCESSING", "STARTED"),
    scan("PROCESSING", "SUCCEEDED", "STARTED"),
    scan("PROCESSING", "SUCCEEDED", "SUCCEEDED", "STARTED"),
    scan("PROCESSING", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "STARTED"),
    scan("READY", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "SUCCEEDED"),
]
DOWNLOADS = [{"downloadJobUpdated": {"status": status, "isFinal": status == "SUCCESS"}} for status in JOB]


@pytest.mark.parametrize(
    "client",
    ["graphql-ws", "graphql-sse", "Apollo Client, multipart", "Apollo Client, WebSocket", "urql"],
)
async def test_a_client_hears_every_change_up_to_the_end(client: str, served: Served, node: Node) -> None:
    asset_id = served.asset_ids[0]
    assert await node("follow.mjs", served.url, client, served.moving_scan_id, asset_id) == {
        "scan": [*SCANS, "complete"],
        "nothing": [["NOT_FOUND"], "complete"],
        "asset": {"asset": {"assetId": asset_id}},
        "requested": {"requestBatchDownload": {"downloadJob": {"status": "PENDING"}, "userErrors": []}},
        "download": [*DOWNLOADS, "complete"],
    }


@pytest.mark.parametrize("client", ["graphql-ws", "graphql-sse"])
async def test_a_client_goes_on_at_another_gateway_when_its_own_ends(
    client: str, served: Served, sandbox: Sandbox, node: Node
) -> None:
    scan_id = served.moving_scan_id
    async with serve(sandbox) as ending:
        following = asyncio.create_task(node("reconnect.mjs", client, scan_id, ending.url, served.url))
        async with asyncio.timeout(SECONDS):
            while len(sandbox.prism.requests) < HALF_WAY and not following.done():  # noqa: ASYNC110 - it notes, and tells nobody
                await asyncio.sleep(0.01)
    heard = await following
    assert heard["asked"] == [ending.url, served.url]
    assert {place for place, *_ in heard["heard"]} == {1, 2}
    statuses = [each["scanUpdated"]["status"] for each in SCANS]
    # The other gateway begins with the present state, which the first may have told.
    assert [status for (status, _), _ in groupby(heard["heard"], lambda each: each[1:])] == statuses


async def test_gql_hears_every_change_up_to_the_end(served: Served) -> None:
    # A proxy that the environment names is not for this machine itself.
    transport = WebsocketsTransport(served.websocket_url, connect_args={"proxy": None})
    async with Client(transport=transport) as session:
        assert await heard(session, SCAN, scanId=served.moving_scan_id) == SCANS
        with pytest.raises(TransportQueryError, match="NOT_FOUND"):
            await heard(session, SCAN, scanId="no-such-scan")
        requested = await session.execute(GraphQLRequest(REQUEST, variable_values={"assetId": served.asset_ids[0]}))
        job = requested["requestBatchDownload"]["downloadJob"]
        assert job["status"] == "PENDING"
        assert await heard(session, DOWNLOAD, jobId=job["jobId"]) == DOWNLOADS


async def heard(session: AsyncClientSession, text: str, **variables: str) -> list[Any]:
    return [result async for result in session.subscribe(GraphQLRequest(text, variable_values=variables))]
