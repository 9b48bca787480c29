"""What a Python service writes with the client that ariadne-codegen generates; prints what it gets, as JSON."""

import asyncio
import json
import sys

from graphql_client import (
    AssetFilter,
    AssetKind,
    AssetType,
    Client,
    GraphQLClientGraphQLMultiError,
    RequestBatchDownloadInput,
)


async def join(client: Client, scan_id: str) -> dict[str, object]:
    """Read a scan and some assets: dates, enums, and what may be null."""
    answer = await client.join(scan_id, 3)
    scan, assets = answer.scan, answer.assets
    assert scan is not None
    assert scan.assets is not None
    assert scan.updated_at is not None
    assert assets is not None
    return {
        "status": scan.status,
        "updated": scan.updated_at.isoformat(),
        "body": scan.assets.body.status,
        "assets": [asset.asset_id for asset in assets.nodes],
    }


async def pages(client: Client, scan_id: str) -> dict[str, object]:
    """Read all pages of a filtered list."""
    lengths: list[int] = []
    kinds: set[AssetKind] = set()
    after, more = None, True
    while more:
        answer = await client.join(scan_id, 10, after=after, filter_=AssetFilter(types=[AssetType.UPSCALE]))
        assert answer.assets is not None
        lengths.append(len(answer.assets.nodes))
        kinds |= {asset.kind for asset in answer.assets.nodes}
        after, more = answer.assets.page_info.end_cursor, answer.assets.page_info.has_next_page
    return {"lengths": lengths, "kinds": sorted(kinds)}


async def failure(client: Client) -> list[object]:
    """Read what there is not."""
    try:
        await client.join("no-such-scan", 1)
    except GraphQLClientGraphQLMultiError as error:
        return [(each.extensions or {})["code"] for each in error.errors]
    raise AssertionError("It must fail.")


async def download(client: Client, asset_id: str) -> dict[str, object]:
    """Start a download, and follow it to its end."""
    payload = (await client.pack(RequestBatchDownloadInput(assetIds=[asset_id]))).request_batch_download
    assert payload is not None
    assert payload.download_job is not None
    jobs = [event.download_job_updated async for event in client.follow(payload.download_job.job_id)]
    return {
        "jobs": [(job.status, job.is_final, job.download_url is not None) for job in jobs],
        "expires": jobs[-1].download_url_expires_at is not None,
    }


async def main(url: str, scan_id: str, asset_id: str) -> None:
    """Print what all of them give."""
    async with Client(url, ws_url=url.replace("http", "ws", 1)) as client:
        results = {
            "join": await join(client, scan_id),
            "pages": await pages(client, scan_id),
            "failure": await failure(client),
            "download": await download(client, asset_id),
        }
    print(json.dumps(results))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
