"""Scenario's own client judges the sandbox: with strict validation, it must find nothing to object to."""

import io
import zipfile
from collections.abc import AsyncIterator, Iterable
from typing import get_args

import httpx
import pytest
import pytest_asyncio
import scenario_sdk
from scenario_sdk import AsyncScenario
from scenario_sdk.types.asset_list_response import AssetListResponse, Metadata

from gateway.sandbox import Sandbox
from gateway.sandbox.families import TYPES, source_of
from gateway.sandbox.moments import iso
from gateway.scenario import wire
from tests.sandbox.conftest import START, URL, Clock


@pytest_asyncio.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[AsyncScenario]:
    async with judge(sandbox) as client:
        yield client


def judge(sandbox: Sandbox) -> AsyncScenario:
    return AsyncScenario(
        api_key=sandbox.scenario_api_key,
        api_secret=sandbox.scenario_api_secret,
        base_url=f"{URL}/scenario/v1",
        max_retries=0,
        http_client=httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app)),
        _strict_response_validation=True,
    )


def own(sandbox: Sandbox) -> list[wire.Asset]:
    """What the client's project lists, newest first."""
    assets = sandbox.scenario.assets.values()
    mine = [asset for asset in assets if asset["ownerId"] == sandbox.project_id and "deletedAt" not in asset]
    return sorted(mine, key=lambda asset: asset["createdAt"], reverse=True)


def ids(assets: Iterable[wire.Asset]) -> list[str]:
    return [asset["id"] for asset in assets]


async def test_it_pages_through_every_asset_once_and_newest_first(client: AsyncScenario, sandbox: Sandbox) -> None:
    listed = [asset.id async for asset in client.assets.list(page_size=100)]
    assert listed == ids(own(sandbox))
    assert sandbox.scenario.calls == [("GET", "/assets")] * (len(listed) // 100 + 1)


async def test_every_type_and_source_that_it_knows_is_there(client: AsyncScenario) -> None:
    listed = [asset async for asset in client.assets.list(page_size=100)]
    assert {asset.metadata.type for asset in listed} == set(get_args(Metadata.model_fields["type"].annotation))
    assert {asset.source for asset in listed} == set(get_args(AssetListResponse.model_fields["source"].annotation))
    assert {asset.kind for asset in listed} == set(get_args(AssetListResponse.model_fields["kind"].annotation))
    assert {asset.status for asset in listed} == {"error", "pending", "success"}
    assert {asset.privacy for asset in listed} == {"private", "public", "unlisted"}


async def test_types_and_sources_are_spelled_as_it_spells_them() -> None:
    assert set(TYPES) == set(get_args(Metadata.model_fields["type"].annotation))
    spelled = set(get_args(AssetListResponse.model_fields["source"].annotation))
    assert {source_of(asset_type) for asset_type in TYPES} == spelled


async def test_it_filters_by_one_type_and_by_several(client: AsyncScenario, sandbox: Sandbox) -> None:
    one = [asset.id async for asset in client.assets.list(type="img23d")]
    several = [asset.id async for asset in client.assets.list(types=["img23d", "uploaded-text"], page_size=3)]
    assert one == ids(asset for asset in own(sandbox) if asset["metadata"]["type"] == "img23d")
    assert several == ids(asset for asset in own(sandbox) if asset["metadata"]["type"] in {"img23d", "uploaded-text"})
    assert sandbox.scenario.requests[-1].query.startswith("pageSize=3&types=img23d%2Cuploaded-text&")


async def test_it_filters_by_author_and_collection(client: AsyncScenario, sandbox: Sandbox) -> None:
    author = own(sandbox)[0]["authorId"]
    collection = next(asset["collectionIds"][0] for asset in own(sandbox) if asset["collectionIds"])
    by_author = [asset.id async for asset in client.assets.list(author_id=author)]
    by_collection = [asset.id async for asset in client.assets.list(collection_id=collection)]
    assert by_author == ids(asset for asset in own(sandbox) if asset["authorId"] == author)
    assert by_collection == ids(asset for asset in own(sandbox) if collection in asset["collectionIds"])


async def test_it_filters_by_model_and_inference(client: AsyncScenario, sandbox: Sandbox) -> None:
    made = next(asset["metadata"] for asset in own(sandbox) if "modelId" in asset["metadata"])
    by_model = [asset.id async for asset in client.assets.list(model_id=made["modelId"])]
    by_inference = [asset.id async for asset in client.assets.list(inference_id=made["inferenceId"])]
    assert by_model == ids(a for a in own(sandbox) if a["metadata"].get("modelId") == made["modelId"])
    assert by_inference == ids(a for a in own(sandbox) if a["metadata"].get("inferenceId") == made["inferenceId"])


async def test_it_filters_by_parent_and_root(client: AsyncScenario, sandbox: Sandbox) -> None:
    child = next(asset["metadata"] for asset in own(sandbox) if "parentId" in asset["metadata"])
    parent, root = child["parentId"], child["rootParentId"]
    children = [asset.id async for asset in client.assets.list(parent_asset_id=parent)]
    descendants = [asset.id async for asset in client.assets.list(root_asset_id=root)]
    assert children == ids(asset for asset in own(sandbox) if asset["metadata"].get("parentId") == parent)
    assert descendants == ids(asset for asset in own(sandbox) if asset["metadata"].get("rootParentId") == root)


async def test_it_filters_by_privacy_and_finds_the_public_assets_of_everyone(
    client: AsyncScenario, sandbox: Sandbox
) -> None:
    private = [asset.id async for asset in client.assets.list(privacy="private", page_size=100)]
    public = [asset async for asset in client.assets.list(privacy="public", page_size=100)]
    assert private == ids(asset for asset in own(sandbox) if asset["privacy"] == "private")
    assert {asset.privacy for asset in public} == {"public"}
    assert {asset.owner_id for asset in public} == {
        sandbox.project_id,
        sandbox.other_project_id,
        "SandboxOldOwner3333333",
    }


async def test_it_finds_public_assets_by_tag(client: AsyncScenario) -> None:
    listed = [asset async for asset in client.assets.list(privacy="public", tags="shoe,body scan")]
    assert listed
    assert all({"shoe", "body scan"} & set(asset.tags) for asset in listed)


async def test_it_filters_by_date_with_both_ends_left_out(client: AsyncScenario, sandbox: Sandbox) -> None:
    for_created = sorted(own(sandbox), key=lambda asset: asset["createdAt"])[10:14]
    for_updated = sorted(own(sandbox), key=lambda asset: asset["updatedAt"])[10:14]
    created = client.assets.list(
        created_after=for_created[0]["createdAt"],
        created_before=for_created[-1]["createdAt"],
        sort_by="createdAt",
        sort_direction="asc",
    )
    updated = client.assets.list(
        updated_after=for_updated[0]["updatedAt"],
        updated_before=for_updated[-1]["updatedAt"],
        sort_by="updatedAt",
        sort_direction="desc",
    )
    assert [asset.id async for asset in created] == ids(for_created[1:-1])
    assert [asset.id async for asset in updated] == ids(reversed(for_updated[1:-1]))


async def test_it_lists_what_was_deleted_in_the_last_30_days(client: AsyncScenario, sandbox: Sandbox) -> None:
    listed = [asset async for asset in client.assets.list(deleted=True, page_size=2)]
    gone = [asset for asset in sandbox.scenario.assets.values() if "deletedAt" in asset]
    mine = [asset for asset in gone if asset["ownerId"] == sandbox.project_id]
    recent = [asset for asset in mine if asset["deletedAt"] > iso(START - 30 * 86_400)]
    assert 0 < len(recent) < len(mine)
    assert [asset.id for asset in listed] == ids(sorted(recent, key=lambda a: a["deletedAt"], reverse=True))
    assert all(asset.deleted_at for asset in listed)


async def test_it_retrieves_an_asset_with_embedding_and_quality_gate(client: AsyncScenario, sandbox: Sandbox) -> None:
    scored = next(asset for asset in own(sandbox) if "qualityGate" in asset)
    plain = await client.assets.retrieve(scored["id"])
    whole = await client.assets.retrieve(scored["id"], with_embedding=True, with_quality_gate_details=True)
    assert plain.asset.embedding is None
    assert plain.asset.quality_gate is not None
    assert plain.asset.quality_gate.details is None
    assert len(whole.asset.embedding or []) == 16
    assert whole.asset.quality_gate is not None
    assert whole.asset.quality_gate.details is not None


async def test_it_gets_200_assets_in_one_call(client: AsyncScenario, sandbox: Sandbox) -> None:
    wanted = ids(own(sandbox)[:200])
    bulk = await client.assets.get_bulk(asset_ids=wanted)
    assert [asset.id for asset in bulk.assets] == wanted[::-1]


async def test_it_locks_and_unlocks_a_canvas(client: AsyncScenario, sandbox: Sandbox) -> None:
    canvas = next(asset["id"] for asset in own(sandbox) if asset["metadata"]["type"] == "canvas")
    expires = iso(START + 60)
    locked = await client.assets.lock(canvas, lock_expires_at=expires)
    assert locked.asset.metadata.lock_expires_at == expires
    with pytest.raises(scenario_sdk.ConflictError):
        await client.assets.lock(canvas, lock_expires_at=expires)
    with pytest.raises(scenario_sdk.ConflictError):
        await client.assets.unlock(canvas, lock_id="lock_other")
    unlocked = await client.assets.unlock(canvas, lock_id=locked.lock_id or "")
    assert unlocked.asset.metadata.lock_expires_at is None


async def test_it_requests_a_download_and_gets_the_file(client: AsyncScenario, sandbox: Sandbox) -> None:
    model = next(asset["id"] for asset in own(sandbox) if asset["metadata"]["type"] == "img23d")
    download = await client.assets.download.request(model, target_format="glb")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app)) as browser:
        file = await browser.get(download.url)
    assert download.mime_type == "model/gltf-binary"
    assert file.content[:4] == b"glTF"


async def test_it_follows_a_batch_until_its_zip_is_there(client: AsyncScenario, sandbox: Sandbox, clock: Clock) -> None:
    wanted = ids(own(sandbox)[:3])
    batch = await client.assets.download.request_batch(
        options={"file_name_template": "<id>", "flat": True},
        query={"asset_ids": wanted, "inference_ids": [], "model_ids": []},
    )
    statuses = []
    for _ in range(8):
        job = await client.assets.download.get_status(batch.job_id)
        statuses.append(job.job_status)
        clock.now += 1
    assert statuses == ["pending", "queued", "warming-up", *["in-progress"] * 3, "finalizing", "success"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox.app)) as browser:
        file = await browser.get(job.download_url or "")
    names = zipfile.ZipFile(io.BytesIO(file.content)).namelist()
    assert [name.rpartition(".")[0] for name in names] == wanted


async def test_it_raises_its_own_error_for_each_refusal(client: AsyncScenario, sandbox: Sandbox) -> None:
    with pytest.raises(scenario_sdk.NotFoundError):
        await client.assets.retrieve("asset_unknown")
    with pytest.raises(scenario_sdk.PermissionDeniedError):
        await client.assets.list(project_id=sandbox.other_project_id)
    with pytest.raises(scenario_sdk.BadRequestError):
        await client.assets.list(page_size=101)
    with pytest.raises(scenario_sdk.AuthenticationError):
        await client.with_options(api_key="wrong").assets.list()


async def test_it_objects_to_drift(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, url=URL, drift=True)
    refused = []
    async with judge(sandbox) as client:
        for asset_id in sandbox.scenario.assets:
            if asset_id.startswith("asset_drift_"):
                try:
                    await client.assets.retrieve(asset_id)
                except scenario_sdk.APIResponseValidationError:
                    refused.append(asset_id.removeprefix("asset_drift_"))
    assert refused == [
        *("seed_number", "kind", "type", "status", "privacy", "edit_capability", "model_type", "null_size", "bare")
    ]
