"""Downloads of one asset and of batches: formats, jobs over time, and what is in a ZIP."""

import io
import zipfile
from typing import cast

import httpx
import pytest

from gateway.sandbox import Sandbox
from gateway.sandbox.archives import path_of, slug, unused
from gateway.scenario import wire
from tests.sandbox.conftest import URL, Clock, browser_of, scenario_of


def first(sandbox: Sandbox, asset_type: str) -> wire.Asset:
    return next(
        asset
        for asset in sandbox.scenario.assets.values()
        if asset["metadata"]["type"] == asset_type
        and asset["ownerId"] == sandbox.project_id
        and "deletedAt" not in asset
    )


def batch(*asset_ids: str, **options: object) -> dict[str, object]:
    return {
        "options": {"fileNameTemplate": "<id>", **options},
        "query": {"assetIds": asset_ids, "inferenceIds": [], "modelIds": []},
    }


async def finished(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, clock: Clock, body: dict[str, object]
) -> tuple[str, zipfile.ZipFile]:
    job_id = (await scenario.post("/assets/download", json=body)).json()["jobId"]
    clock.now += 7
    url = (await scenario.get(f"/assets/download/{job_id}")).json()["downloadUrl"]
    file = await browser.get(url)
    assert file.headers["content-type"] == "application/zip"
    return url, zipfile.ZipFile(io.BytesIO(file.content))


@pytest.mark.parametrize(
    ("asset_type", "target", "mime_type", "magic"),
    [
        ("txt2img", "jpg", "image/jpeg", b"\xff\xd8\xff"),
        ("txt2img", "png", "image/png", b"\x89PNG"),
        ("txt2img", "gif", "image/gif", b"GIF8"),
        ("txt2img", "webp", "image/webp", b"RIFF"),
        ("txt2img", "tiff", "image/tiff", b"II*\0"),
        ("txt2img", "avif", "image/avif", b"\0\0\0 ftypavif"),
        ("txt2img", "heif", "image/heif", b"\0\0\0\x1cftypheic"),
        ("vectorization", "svg", "image/svg+xml", b"<svg "),
        ("img23d", "glb", "model/gltf-binary", b"glTF"),
        ("img23d", "obj", "model/obj", b"v "),
        ("uploaded-3d", "fbx", "model/x-fbx", b"; FBX 7.4.0"),
        ("uploaded-audio", "mp3", "audio/mpeg", b"\xff"),
        ("txt2video", "mp4", "video/mp4", b"\0\0\0 ftypisom"),
    ],
)
async def test_an_asset_downloads_in_the_formats_of_its_kind(
    sandbox: Sandbox, asset_type: str, target: str, mime_type: str, magic: bytes
) -> None:
    path = f"/assets/{first(sandbox, asset_type)['id']}/download"
    async with scenario_of(sandbox) as scenario, browser_of(sandbox) as browser:
        download = (await scenario.post(path, json={"targetFormat": target})).json()
        file = await browser.get(download["url"])
    assert download["mimeType"] == mime_type
    assert download["url"].endswith(f"&format={target}")
    assert file.content.startswith(magic)
    expected = "application/octet-stream" if mime_type.startswith("model/") else mime_type
    assert file.headers["content-type"] == expected


async def test_without_a_format_the_original_file_comes(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    path = f"/assets/{first(sandbox, 'skybox-hdri')['id']}/download"
    download = (await scenario.post(path)).json()
    assert download["mimeType"] == "image/vnd.radiance"
    assert (await browser.get(download["url"])).content.startswith(b"#?RADIANCE\n")


@pytest.mark.parametrize(("asset_type", "target"), [("txt2img", "glb"), ("txt2audio", "mp3"), ("txt2txt", "png")])
async def test_a_format_of_another_kind_is_refused(
    scenario: httpx.AsyncClient, sandbox: Sandbox, asset_type: str, target: str
) -> None:
    path = f"/assets/{first(sandbox, asset_type)['id']}/download"
    answer = await scenario.post(path, json={"targetFormat": target})
    assert answer.status_code == 400
    assert answer.json() == {"error": "Invalid target format", "code": "INVALID_TARGET_FORMAT"}


async def test_a_batch_packs_assets_by_id_inference_and_model(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    made = first(sandbox, "img23d")["metadata"]
    text = first(sandbox, "uploaded-text")
    mine = [
        asset
        for asset in sandbox.scenario.assets.values()
        if asset["ownerId"] == sandbox.project_id and "deletedAt" not in asset
    ]
    wanted = {
        asset["id"]
        for asset in mine
        if asset["id"] == text["id"]
        or asset["metadata"].get("inferenceId") == made["inferenceId"]
        or asset["metadata"].get("modelId") == made["modelId"]
    }
    body = batch(text["id"], flat=True)
    body["query"] = {
        "assetIds": [text["id"]],
        "inferenceIds": [made["inferenceId"]],
        "modelIds": [made["modelId"]],
    }
    url, archive = await finished(scenario, browser, clock, body)
    assert {name.rpartition(".")[0] for name in archive.namelist()} == wanted
    assert archive.read(f"{text['id']}.txt").decode().startswith(text["properties"]["preview"])
    assert "/20260310-export.zip?X-Amz-Algorithm=" in url


async def test_a_batch_that_is_not_flat_groups_by_inference_and_can_prefer_originals(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    sky, sound = first(sandbox, "skybox-hdri"), first(sandbox, "uploaded-audio")
    body = batch(sky["id"], sound["id"], preferOriginal=True, archiveName="my files")
    url, archive = await finished(scenario, browser, clock, body)
    assert archive.namelist() == [f"{sky['metadata']['inferenceId']}/{sky['id']}.hdr", f"assets/{sound['id']}.wav"]
    assert "/my%20files.zip?" in url


async def test_a_job_named_fail_or_cancel_ends_so(scenario: httpx.AsyncClient, sandbox: Sandbox, clock: Clock) -> None:
    asset_id = first(sandbox, "txt2img")["id"]
    jobs = [
        (await scenario.post("/assets/download", json=batch(asset_id, archiveName=name))).json()["jobId"]
        for name in ("fail", "cancel")
    ]
    clock.now += 5
    running = [(await scenario.get(f"/assets/download/{job_id}")).json() for job_id in jobs]
    clock.now += 1
    ended = [(await scenario.get(f"/assets/download/{job_id}")).json() for job_id in jobs]
    assert [job["jobStatus"] for job in running] == ["in-progress", "in-progress"]
    assert ended == [
        {"jobId": jobs[0], "jobStatus": "failure"},
        {"jobId": jobs[1], "jobStatus": "canceled"},
    ]


@pytest.mark.parametrize("tier", ["true", "api"])
async def test_a_dry_run_answers_269_and_the_cost(scenario: httpx.AsyncClient, sandbox: Sandbox, tier: str) -> None:
    body = batch(first(sandbox, "txt2img")["id"])
    answer = await scenario.post("/assets/download", params={"dryRun": tier}, json=body)
    assert (answer.status_code, answer.json()) == (269, {"creativeUnitsCost": 1})
    wrong = await scenario.post("/assets/download", params={"dryRun": "false"}, json=body)
    assert (wrong.status_code, wrong.json()["message"]) == (400, '"dryRun" must be one of true, api')


async def test_a_batch_needs_all_three_lists(scenario: httpx.AsyncClient) -> None:
    body = {"options": {"fileNameTemplate": "<id>"}, "query": {"assetIds": [], "modelIds": []}}
    answer = await scenario.post("/assets/download", json=body)
    assert (answer.status_code, answer.text) == (
        400,
        "Invalid request body: Object missing required field `inferenceIds` - at `$.query`",
    )


async def test_a_batch_holds_1_to_1000_assets(scenario: httpx.AsyncClient, sandbox: Sandbox) -> None:
    mine = [
        asset["id"]
        for asset in sandbox.scenario.assets.values()
        if asset["ownerId"] == sandbox.project_id and "deletedAt" not in asset
    ]
    none = await scenario.post("/assets/download", json=batch())
    many = await scenario.post("/assets/download", json=batch(*mine[:1001]))
    unknown = await scenario.post("/assets/download", json=batch("asset_unknown"))
    assert (none.status_code, none.json()["message"]) == (400, "A download holds 1 to 1000 assets, this one 0")
    assert (many.status_code, many.json()["message"]) == (400, "A download holds 1 to 1000 assets, this one 1001")
    assert unknown.status_code == 404


async def test_a_job_takes_as_long_as_the_sandbox_is_told(clock: Clock) -> None:
    sandbox = Sandbox(clock=clock, url=URL, job_seconds=70)
    seen = []
    async with scenario_of(sandbox) as scenario:
        job_id = (await scenario.post("/assets/download", json=batch(first(sandbox, "txt2img")["id"]))).json()["jobId"]
        for _ in range(8):
            seen.append((await scenario.get(f"/assets/download/{job_id}")).json()["jobStatus"])
            clock.now += 10
    assert seen == [
        *("pending", "queued", "warming-up", "in-progress", "in-progress", "in-progress", "finalizing", "success")
    ]


async def test_an_unknown_job_is_not_found_with_a_text(scenario: httpx.AsyncClient) -> None:
    answer = await scenario.get("/assets/download/job_unknown")
    assert (answer.status_code, answer.text) == (404, "Job job_unknown not found")


def drawn() -> wire.Asset:
    metadata: wire.AssetMetadata = {
        "kind": "image",
        "type": "txt2img",
        "seed": "7",
        "prompt": "A cat dancing on the roof of a house",
        "modelId": "model_1",
        "outputIndex": 2,
    }
    return cast("wire.Asset", {"id": "asset_1", "metadata": metadata, "description": "A cat."})


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("<id>", "asset_1"),
        ("<prompt>-<id>", "cat_dancing_roof_house-asset_1"),
        ("<prompt>/<seed>_<num>", "cat_dancing_roof_house/7_2"),
        ("<generator> <description> <id>-<id>", "model_1 cat asset_1"),
        ("../<id>", "asset_1"),
        ("?", "_"),
        ("//", "asset_1"),
    ],
)
async def test_a_file_name_template_is_filled_safely(template: str, path: str) -> None:
    assert path_of(drawn(), 0, {"fileNameTemplate": template, "flat": True}) == path


async def test_names_are_cut_and_numbered() -> None:
    taken: set[str] = set()
    long = f"{'d' * 100}/{'n' * 200}"
    cut = path_of(drawn(), 0, {"fileNameTemplate": long, "flat": True})
    names = [unused(cut, "png", taken) for _ in range(2)]
    assert names == [f"{'d' * 64}/{'n' * 124}.png", f"{'d' * 64}/{'n' * 122}-2.png"]
    assert slug("one two three four five six seven eight nine") == "one_two_three_four_five_six_seven_eight"
