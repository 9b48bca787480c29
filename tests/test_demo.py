"""`gateway demo`: what it prints, that what it prints is true, and how it ends."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.demo import QUERY, demo_settings, textured_scan
from gateway.sandbox import Sandbox
from tests.processes import IN_BACKGROUND, run, running
from tests.world import URL, World

FREE_PORTS = ("--port", "0", "--sandbox-port", "0")
PRINTED = re.compile(
    r"""Open     (?P<url>http://127\.0\.0\.1:\d+)/graphql   \((?:GraphiQL|a plain console; .*)\)
Sandbox  (?P<sandbox>http://127\.0\.0\.1:\d+)   \(Prism under /prism, Scenario under /scenario/v1\)

Paste this query:

(?P<query>.*)

with these variables:  (?P<variables>\{.*\})

It answers:

(?P<answer>\{.*\})

Upstream calls: 2 to Prism \+ 3 to Scenario, for one request\.
""",
    re.DOTALL,
)


def texts(value: Any) -> Iterator[str]:
    """Every text in an answer."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def test_once_prints_the_address_the_query_and_what_it_answers(tmp_path: Path) -> None:
    ended = run("demo", "--once", *FREE_PORTS, folder=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    printed = PRINTED.fullmatch(ended.stdout)
    assert printed is not None, ended.stdout
    assert printed["query"] == QUERY
    assert list(json.loads(printed["variables"])) == ["scanId"]
    data = json.loads(printed["answer"])["data"]
    assert data["scan"]["assets"]["isReady"] is True
    assert data["scan"]["assetUrls"]["model"].startswith(f"{printed['sandbox']}/s3/scans/")
    assert [type(node) for node in data["assets"]["nodes"]] == [dict, str]
    assert data["assets"]["nodes"][1] == "… 249 more"


def test_no_setting_and_no_proxy_of_the_environment_reaches_the_demo(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GATEWAY_PORT=never\n", encoding="utf-8")
    strange = {"SCENARIO_PROJECT_ID": "proj_other", "GATEWAY_CACHE_BYTES": "many", "HTTP_PROXY": "http://127.0.0.1:9"}
    ended = run("demo", "--once", *FREE_PORTS, folder=tmp_path, settings=strange)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert PRINTED.fullmatch(ended.stdout)


def test_what_is_pasted_into_a_running_demo_answers_and_ctrl_c_ends_it_with_0(tmp_path: Path) -> None:
    with running("demo", *FREE_PORTS, folder=tmp_path) as process:
        url = process.wait_for(r"^Open +(\S+)/graphql ")
        process.wait_for(r"^(Ctrl\+C stops both\.)$")
        printed = PRINTED.match("".join(process.lines))
        assert printed is not None
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as browser:
            page = browser.get("/graphql", headers={"accept": "text/html"})
            body = {"query": printed["query"], "variables": json.loads(printed["variables"])}
            answer = browser.post("/graphql", json=body).json()
            code, everything = process.stop(signal.SIGINT)
    assert body["variables"]["scanId"] in page.text
    assert len(answer["data"]["assets"]["nodes"]) == 250
    assert (code, everything) == (0, "".join(process.lines))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_in_the_background_of_a_script_ends_by_a_signal_too(number: signal.Signals, tmp_path: Path) -> None:
    with running("demo", *FREE_PORTS, folder=tmp_path, through=IN_BACKGROUND) as process:
        process.wait_for(r"^(Ctrl\+C stops both\.)$")
        assert process.stop(number) == (0, "".join(process.lines))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_seed_has_a_textured_scan(seed: int) -> None:
    sandbox = Sandbox(seed=seed)
    assert sandbox.prism.scans[textured_scan(sandbox)].textured


def test_the_demos_settings_point_at_its_sandbox() -> None:
    settings = demo_settings(Sandbox(url="http://127.0.0.1:9001"))
    assert str(settings.prism_url) == "http://127.0.0.1:9001/prism"
    assert str(settings.scenario_url) == "http://127.0.0.1:9001/scenario/v1"
    assert settings.gateway_report_calls


async def test_every_url_in_the_demos_answer_downloads_a_file(gateway: World) -> None:
    data = await gateway.data(QUERY, scanId=textured_scan(gateway.sandbox))
    urls = [text for text in texts(data) if text.startswith(URL)]
    assert len(urls) == 253
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=gateway.sandbox.app)) as browser:
        files = [await browser.get(url) for url in urls]
    assert {file.status_code for file in files} == {200}
    assert all(file.content for file in files)


async def test_the_scans_files_are_what_they_are_called(gateway: World) -> None:
    data = await gateway.data(QUERY, scanId=textured_scan(gateway.sandbox))
    urls = data["scan"]["assetUrls"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=gateway.sandbox.app)) as browser:
        files = {name: (await browser.get(urls[name])).content for name in ("previewImage", "model", "texture")}
    assert files["previewImage"].startswith(b"\x89PNG\r\n\x1a\n")
    assert files["texture"].startswith(b"\x89PNG\r\n\x1a\n")
    assert b"\nv " in files["model"]
