"""The bytes behind the URLs, and the URLs' signatures and expiry."""

import io
import json
import struct
import wave
import zlib
from datetime import UTC, datetime

import httpx
import pytest

from gateway.sandbox import Sandbox
from gateway.sandbox.families import TYPES
from gateway.sandbox.meshes import person
from gateway.sandbox.signing import CloudFront, expiry, read_policy
from gateway.scenario import wire
from tests.sandbox.conftest import URL, Clock
from tests.sandbox.test_downloads import first

MAGIC = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/svg+xml": b"<svg ",
    "model/gltf-binary": b"glTF",
    "model/obj": b"v ",
    "model/ply": b"ply\n",
    "model/mtl": b"newmtl ",
    "audio/wav": b"RIFF",
    "audio/mpeg": b"\xff",
    "video/mp4": b"\0\0\0 ftyp",
    "text/plain": b"",
    "application/json": b"{",
    "application/pdf": b"%PDF-1.4",
}


async def shown(scenario: httpx.AsyncClient, asset: wire.Asset) -> wire.Asset:
    answer: wire.AssetAnswer = (await scenario.get(f"/assets/{asset['id']}")).json()
    return answer["asset"]


@pytest.mark.parametrize("asset_type", TYPES)
async def test_every_type_of_asset_has_a_file_of_its_mime_type(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox, asset_type: str
) -> None:
    asset = await shown(scenario, first(sandbox, asset_type))
    file = await browser.get(asset["url"])
    assert file.content.startswith(MAGIC[asset["mimeType"]])
    model = asset["mimeType"].startswith("model/")
    assert file.headers["content-type"].split(";")[0] == ("application/octet-stream" if model else asset["mimeType"])
    assert sandbox.files.calls == [("GET", f"/cdn/assets-transform/{asset['id']}")]


async def test_a_picture_is_as_large_as_its_properties_say(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    asset = await shown(scenario, first(sandbox, "txt2img"))
    png = (await browser.get(asset["url"])).content
    width, height = struct.unpack(">II", png[16:24])
    length = struct.unpack(">I", png[33:37])[0]
    assert (width, height) == (asset["properties"]["width"], asset["properties"]["height"])
    assert len(zlib.decompress(png[41 : 41 + length])) == height * (1 + 3 * width)


async def test_sounds_and_texts_are_what_their_properties_say(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    sound, text = first(sandbox, "txt2audio"), first(sandbox, "txt2txt")
    heard = (await browser.get((await shown(scenario, sound))["url"])).content
    with wave.open(io.BytesIO(heard)) as file:
        assert file.getnframes() / file.getframerate() == sound["properties"]["duration"]
    read = (await browser.get((await shown(scenario, text))["url"])).content
    assert (len(heard), len(read)) == (sound["properties"]["size"], text["properties"]["size"])
    assert read.decode()[:1024] == text["properties"]["preview"]


async def test_a_glb_is_a_whole_scene(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    asset = await shown(scenario, first(sandbox, "img23d"))
    glb = (await browser.get(asset["url"])).content
    magic, version, length, json_length, kind = struct.unpack("<4sIII4s", glb[:20])
    document = json.loads(glb[20 : 20 + json_length])
    assert (magic, version, length, kind) == (b"glTF", 2, len(glb), b"JSON")
    assert document["accessors"][0]["count"] == asset["properties"]["vertexCount"]
    assert document["buffers"][0]["byteLength"] == len(glb) - 20 - json_length - 8


async def test_a_mesh_is_closed_and_faces_outwards() -> None:
    mesh = person("someone")
    volume = 0.0
    for face in mesh.faces:
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (mesh.vertices[corner] for corner in face)
        volume += (ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)) / 6
    assert 0.05 < volume < 0.2


async def test_a_textured_scan_gives_obj_material_texture_and_preview(
    prism: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    scan = next(s for s in sandbox.prism.scans.values() if s.textured and s.scan_id in sandbox.prism.scan_ids("READY"))
    urls = (await prism.get(f"/scans/{scan.scan_id}/asset-urls")).json()
    files = {key: (await browser.get(url)) for key, url in urls.items() if url}
    assert files["model"].text.startswith("mtllib avatar.obj.mtl\n")
    assert files["model"].headers["content-type"] == "application/octet-stream"
    assert "map_Kd texture.png\n" in files["material"].text
    assert files["texture"].content.startswith(MAGIC["image/png"])
    assert files["previewImage"].headers["content-type"] == "image/png"
    assert files["canonicalBody"].content.startswith(b"ply\n")


async def test_every_url_of_every_ready_scan_has_a_file(
    prism: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    kept = set()
    for scan_id in sandbox.prism.scan_ids("READY"):
        urls = (await prism.get(f"/scans/{scan_id}/asset-urls")).json()
        for key, url in urls.items():
            if url:
                kept.add(key)
                assert (await browser.get(url)).status_code == 200
    assert kept == urls.keys()


async def test_a_file_of_prism_expires_after_an_hour(
    prism: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    url = (await prism.get(f"/scans/{sandbox.prism.scan_ids('READY')[0]}/asset-urls/model")).json()
    clock.now += 3599
    assert (await browser.get(url)).status_code == 200
    clock.now += 1
    late = await browser.get(url)
    assert late.status_code == 403
    assert late.headers["content-type"] == "application/xml"
    assert late.text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    )


async def test_a_file_of_prism_needs_its_own_signature(
    prism: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    path = f"/scans/{sandbox.prism.scan_ids('READY')[0]}/asset-urls"
    urls = (await prism.get(path)).json()
    for forged in (
        urls["model"].replace("/model?", "/preview-image?"),
        urls["model"].replace("X-Amz-Expires=3600", "X-Amz-Expires=9999"),
        urls["model"].partition("?")[0],
    ):
        answer = await browser.get(forged)
        assert (answer.status_code, "<Code>SignatureDoesNotMatch</Code>" in answer.text) == (403, True)


@pytest.mark.parametrize(
    ("signed", "expires"),
    [
        ("2026-03-01T00:00:00", "2026-03-14T23:59:59"),
        ("2026-03-07T23:59:59", "2026-03-14T23:59:59"),
        ("2023-08-14T10:00:00", "2023-08-21T23:59:59"),
        ("2026-02-15T00:00:00", "2026-02-28T23:59:59"),
        ("2024-02-21T23:00:00", "2024-02-29T23:59:59"),
        ("2026-12-22T00:00:00", "2027-01-07T23:59:59"),
        ("2026-03-31T23:59:59", "2026-04-07T23:59:59"),
    ],
)
async def test_scenario_urls_expire_by_the_calendar(signed: str, expires: str) -> None:
    moments = [datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp() for date in (signed, expires)]
    assert expiry(moments[0]) == moments[1]
    assert 7 * 86_400 <= moments[1] - moments[0] < 17 * 86_400


async def test_a_url_of_scenario_is_the_same_until_the_window_ends(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox, clock: Clock
) -> None:
    asset = first(sandbox, "txt2img")
    url = (await shown(scenario, asset))["url"]
    clock.now += 4 * 86_400
    assert (await shown(scenario, asset))["url"] == url
    clock.now += 86_400
    assert (await shown(scenario, asset))["url"] != url
    expires = read_policy(httpx.URL(url).params["Policy"])
    assert expires == {
        "Statement": [
            {
                "Resource": f"{URL}/cdn/assets-transform/{asset['id']}?p=100*",
                "Condition": {"DateLessThan": {"AWS:EpochTime": 1_774_137_599}},
            }
        ]
    }
    clock.now = 1_774_137_598
    assert (await browser.get(f"{url}&quality=80&width=64")).status_code == 200
    clock.now += 1
    assert (await browser.get(url)).status_code == 403


async def test_a_file_of_scenario_needs_its_own_signature(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    url = httpx.URL((await shown(scenario, first(sandbox, "txt2img")))["url"])
    other = first(sandbox, "img23d")["id"]
    for forged in (
        url.copy_with(path=f"/cdn/assets-transform/{other}"),
        url.copy_set_param("Signature", "AAAA"),
        url.copy_remove_param("Policy"),
        url.copy_remove_param("p"),
    ):
        answer = await browser.get(forged)
        assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True)
    unsigned = await browser.get(url.copy_with(query=None))
    assert (unsigned.status_code, "<Code>MissingKey</Code>" in unsigned.text) == (403, True)


async def test_a_url_names_the_address_the_sandbox_was_given(clock: Clock) -> None:
    cdn = CloudFront(clock, "http://elsewhere.test:9")
    assert cdn.sign("/cdn/assets/asset_1").startswith("http://elsewhere.test:9/cdn/assets/asset_1?p=100&Policy=")


async def test_pictures_beside_an_asset_can_be_fetched(
    scenario: httpx.AsyncClient, browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    video = await shown(scenario, first(sandbox, "txt2video"))
    model = await shown(scenario, first(sandbox, "img23d"))
    sky = await shown(scenario, first(sandbox, "skybox-hdri"))
    canvas = await shown(scenario, first(sandbox, "canvas"))
    pictures = (video["firstFrame"], video["lastFrame"], model["preview"], model["thumbnail"])
    for picture in (*pictures, canvas["metadata"]["thumbnail"]):
        assert (await browser.get(picture["url"])).content.startswith(MAGIC["image/png"])
    assert (await browser.get(sky["originalFileUrl"])).content.startswith(b"#?RADIANCE")
    assert sky["originalMimeType"] == "image/vnd.radiance"
    assert "?" not in model["thumbnail"]["url"]


async def test_a_thumbnail_needs_no_signature_and_an_unknown_one_is_a_bad_gateway(
    browser: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    known = await browser.get(f"/cdn/thumbnails/{first(sandbox, 'txt2img')['id']}")
    unknown = await browser.get("/cdn/thumbnails/asset_unknown")
    assert (known.status_code, known.headers["access-control-allow-origin"]) == (200, "*")
    assert unknown.status_code == 502


async def test_another_path_has_no_file(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/s3/nothing")
    assert (answer.status_code, "<Code>NotFound</Code>" in answer.text) == (404, True)
