"""Python's `gql` over httpx and over aiohttp: the schema by introspection, queries, changes and errors."""

from collections.abc import Callable
from typing import Any

import pytest
from gql import Client, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.async_transport import AsyncTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from graphql import GraphQLSchema, build_schema, lexicographic_sort_schema, print_schema

from tests.clients.conftest import SCHEMA, SECONDS, Served

SCAN = "query Scan($scanId: ID!) { scan(scanId: $scanId) { scanId status assets { isReady } } }"
DOWNLOAD = """mutation Download($input: RequestAssetDownloadInput!) {
  requestAssetDownload(input: $input) { download { mimeType } userErrors { code field } }
}"""
EVERYTHING = {"specified_by_url": True, "input_value_deprecation": True}


def over_httpx(url: str) -> AsyncTransport:
    return HTTPXAsyncTransport(url, trust_env=False)


def over_aiohttp(url: str) -> AsyncTransport:
    return AIOHTTPTransport(url)


transports = pytest.mark.parametrize("transport", [over_httpx, over_aiohttp])
Transport = Callable[[str], AsyncTransport]


def printed(schema: GraphQLSchema) -> str:
    return print_schema(lexicographic_sort_schema(schema))


async def codes(client: Client, request: GraphQLRequest) -> list[Any]:
    """What a request that fails is told."""
    async with client as session:
        with pytest.raises(TransportQueryError) as refused:
            await session.execute(request)
    return [error["extensions"]["code"] for error in refused.value.errors or ()]


@transports
async def test_gql_reads_the_whole_schema_and_is_answered(served: Served, transport: Transport) -> None:
    client = Client(
        transport=transport(served.url),
        execute_timeout=SECONDS,
        fetch_schema_from_transport=True,
        introspection_args=EVERYTHING,
    )
    variables = {"assetId": served.asset_ids[0], "targetFormat": "WEBP"}
    async with client as session:
        scan = await session.execute(GraphQLRequest(SCAN, variable_values={"scanId": served.scan_id}))
        download = await session.execute(GraphQLRequest(DOWNLOAD, variable_values={"input": variables}))
    assert scan == {"scan": {"scanId": served.scan_id, "status": "READY", "assets": {"isReady": True}}}
    assert download == {"requestAssetDownload": {"download": {"mimeType": "image/webp"}, "userErrors": []}}
    assert client.schema is not None
    assert printed(client.schema) == printed(build_schema(SCHEMA.read_text(encoding="utf-8")))


@transports
async def test_gql_raises_what_the_gateway_says_went_wrong(served: Served, transport: Transport) -> None:
    client = Client(transport=transport(served.url), execute_timeout=SECONDS)
    assert await codes(client, GraphQLRequest(SCAN, variable_values={"scanId": "no-such-scan"})) == ["NOT_FOUND"]
    assert await codes(client, GraphQLRequest("{ nothing }")) == ["GRAPHQL_VALIDATION_FAILED"]
