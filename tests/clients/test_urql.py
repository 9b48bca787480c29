"""urql: queries by GET as it prefers, changes, errors, and persisted documents."""

from gateway.graph.ids import global_id
from tests.clients.conftest import Node, Served


async def test_urql_is_answered_as_it_expects(served: Served, node: Node) -> None:
    id_, asset_id = global_id("Scan", served.scan_id), served.asset_ids[0]
    scan = {"id": id_, "status": "READY", "assets": {"isReady": True}}
    named = {**scan, "assets": {"isReady": True, "__typename": "ScanAssets"}, "__typename": "Scan"}
    no_scan = {"id": global_id("Scan", "no-such-scan"), "status": None, "assets": None, "__typename": "Scan"}
    locked = {"asset": {"assetId": asset_id, "__typename": "Asset"}, "userErrors": []}
    assert await node("urql.mjs", served.url, served.scan_id, asset_id) == {
        "query": {"data": {"scan": named}, "requests": ["GET operationName query variables 200"]},
        "cached": {"data": {"scan": named}, "requests": []},
        "mutation": {
            "data": {"lockAsset": {**locked, "__typename": "LockAssetPayload"}},
            "requests": ["POST operationName query variables 200"],
        },
        "failure": {
            "data": {"scan": no_scan},
            "errors": [{"path": ["scan", "status"], "code": "NOT_FOUND"}],
            "requests": ["GET operationName query variables 200"],
        },
        "refusal": {"errors": [{"code": "GRAPHQL_VALIDATION_FAILED"}], "requests": ["GET query variables 400"]},
        # The hash alone is not known; with the text it becomes known; from then on the hash is enough.
        "persisted": {
            "data": {"scan": scan},
            "requests": [
                "GET extensions operationName variables 400",
                "GET extensions operationName query variables 200",
            ],
        },
        "persistedAgain": {"data": {"scan": scan}, "requests": ["GET extensions operationName variables 200"]},
    }
