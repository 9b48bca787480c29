"""Apollo Client: queries, pages joined in its cache, changes, errors, and automatic persisted queries over GET."""

from gateway.graph.ids import global_id
from tests.clients.conftest import Node, Served

POST = "POST extensions operationName query variables"


async def test_apollo_client_is_answered_as_it_expects(served: Served, node: Node) -> None:
    id_ = global_id("Scan", served.scan_id)
    stages = {"__typename": "ScanAssets", "isReady": True, "body": {"__typename": "AssetStage", "status": "SUCCEEDED"}}
    assert await node("apollo.mjs", served.url, served.scan_id, served.asset_ids[0]) == {
        "query": {
            "data": {"scan": {"__typename": "Scan", "id": id_, "status": "READY", "assets": stages}},
            "entities": [f"Scan:{id_}"],
            "requests": [f"{POST} 200"],
        },
        "pages": {
            "assetIds": served.asset_ids[:5],
            "hasNextPage": True,
            "requests": [f"{POST} 200", f"{POST} 200"],
        },
        "mutation": {
            "__typename": "RequestAssetDownloadPayload",
            "download": "image/webp",
            "userErrors": [],
            "file": "image/webp",
            "requests": [f"{POST} 200"],
        },
        "failure": {
            "status": None,
            "errors": [{"path": ["scan", "status"], "code": "NOT_FOUND"}],
            "requests": [f"{POST} 200"],
        },
        "refusal": {
            "errors": [{"code": "GRAPHQL_VALIDATION_FAILED"}],
            "requests": ["POST extensions query variables 400"],
        },
        # The hash alone is not known; the text by POST makes it known; from then on the hash is enough.
        "persistence": {
            "statuses": ["READY", "READY"],
            "requests": [
                "GET extensions operationName variables 400",
                f"{POST} 200",
                "GET extensions operationName variables 200",
            ],
        },
    }
