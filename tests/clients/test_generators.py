"""Generators accept schema.graphql: what they make of documents type-checks, and is answered."""

import json
import re
import shutil
import sys
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.graph.ids import global_id
from gateway.sandbox import Sandbox
from gateway.sandbox.moments import iso
from tests.clients.conftest import FOLDER, SCHEMA, Run, Served, serve

UNDER_WAY = ("QUEUED", "WARMING_UP", "IN_PROGRESS", "FINALIZING")


@pytest.fixture
def packages(tmp_path: Path, npm: Path) -> Path:
    """A folder for projects, beside the npm packages; the folder of their commands."""
    (tmp_path / "node_modules").symlink_to(npm)
    return npm / ".bin"


def project(name: str, into: Path) -> Path:
    """A copy of a project of this folder, with the schema in it."""
    folder = into / name
    shutil.copytree(FOLDER / name, folder)
    shutil.copy(SCHEMA, folder)
    return folder


def parent_and_child(served: Served) -> tuple[str, str]:
    """An asset that another was made from, and that other: the newest there is."""
    assets = served.sandbox.scenario.assets
    child = next(id_ for id_ in served.asset_ids if "parentId" in assets[id_]["metadata"])
    return assets[child]["metadata"]["parentId"], child


async def test_types_that_graphql_codegen_makes_compile_and_know_what_may_be_null(
    tmp_path: Path, packages: Path, run: Run
) -> None:
    folder = project("codegen", tmp_path)
    await run(packages / "graphql-codegen", "--config", "codegen.json", folder=folder)
    assert await run(packages / "tsc", folder=folder) == ""


async def test_documents_that_relay_compiles_are_trusted_by_their_ids(
    tmp_path: Path, packages: Path, run: Run, sandbox: Sandbox
) -> None:
    folder = project("relay", tmp_path)
    manifest = folder / "persisted.json"
    manifest.write_text("{}", encoding="utf-8")
    await run(packages / "relay-compiler", folder=folder)
    async with (
        serve(sandbox, gateway_trusted_documents=manifest) as served,
        httpx.AsyncClient(trust_env=False) as client,
    ):

        async def ask(name: str, **variables: Any) -> Any:
            """Send what Relay has for the network in an operation's artifact."""
            artifact = (folder / "src" / "__generated__" / f"{name}.graphql.ts").read_text(encoding="utf-8")
            (id_,) = re.findall(r'"id": "([0-9a-f]{64})"', artifact)
            response = await client.post(served.url, json={"documentId": id_, "variables": variables})
            assert response.status_code == HTTPStatus.OK, response.text
            return response.json()["data"]

        page = (await ask("LibraryQuery", scanId=served.scan_id))["assets"]
        next_page = (await ask("LibraryPageQuery", after=page["pageInfo"]["endCursor"], first=3))["assets"]
        parent, child = parent_and_child(served)
        family = (await ask("LibraryChildrenQuery", id=global_id("Asset", parent)))["node"]["children"]
        batch = await ask("LibraryDownloadMutation", input={"assetIds": [child]})
    assert [edge["node"]["assetId"] for edge in page["edges"] + next_page["edges"]] == served.asset_ids[:5]
    assert child in [edge["node"]["assetId"] for edge in family["edges"]]
    assert batch["requestBatchDownload"]["downloadJob"]["status"] == "PENDING"


async def test_a_client_that_ariadne_codegen_makes_answers_with_typed_models(
    tmp_path: Path, ariadne: Path, run: Run, served: Served
) -> None:
    folder = project("ariadne", tmp_path)
    await run(ariadne, "--config", "ariadne-codegen.toml", folder=folder)
    # The generator's own base class does not type-check; what uses it must.
    await run(sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "uses.py", folder=folder)
    scan, asset_id = served.sandbox.prism.scans[served.scan_id], served.asset_ids[0]
    out = await run(sys.executable, "uses.py", served.url, served.scan_id, asset_id, folder=folder)
    assert json.loads(out) == {
        "join": {
            "status": "READY",
            "updated": datetime.fromisoformat(iso(scan.steps[-1].at)).isoformat(),
            "body": "SUCCEEDED",
            "assets": served.asset_ids[:3],
        },
        "pages": {"lengths": [10, 5], "kinds": ["IMAGE"]},
        "failure": ["NOT_FOUND", "NOT_FOUND"],
        "download": {
            "jobs": [*([status, False, False] for status in UNDER_WAY), ["SUCCESS", True, True]],
            "expires": True,
        },
    }
