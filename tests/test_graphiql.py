"""The page at `/graphql`, built and not built, and the examples that it opens with."""

import json
import re
from pathlib import Path

import httpx
import pytest
from graphql import build_schema, parse, validate
from starlette.applications import Starlette
from starlette.routing import Mount

from gateway.demo import QUERY, demo_examples
from gateway.http import graphiql
from gateway.http.graphiql import Examples
from gateway.schema import schema
from tests.world import World

FOLDER = Path(__file__).parent.parent / "graphiql"
SOURCE = FOLDER / "index.html"
EXAMPLES = re.findall(
    r"/\* GraphQL \*/ `(.*?)`", (FOLDER / "src" / "examples.ts").read_text(encoding="utf-8"), re.DOTALL
)
CONSOLE_QUERY = re.findall(
    r'<textarea id="query".*?>(.*?)</textarea>',
    (graphiql.CONSOLE / "index.html").read_text(encoding="utf-8"),
    re.DOTALL,
)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as the build leaves it: Vite keeps the page's JSON as it stands in the source."""
    (tmp_path / "index.html").write_text(SOURCE.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "index.js").write_text("export {};", encoding="utf-8")
    return tmp_path


@pytest.fixture
def unbuilt(tmp_path: Path) -> Path:
    """A folder in which nothing was built."""
    return tmp_path / "graphiql"


def injected(page: str) -> object:
    """What the page's JSON script holds, read as a browser would: up to the first end tag."""
    found = re.search(r'<script type="application/json" id="gateway">(.*?)</script', page, re.DOTALL | re.IGNORECASE)
    assert found is not None
    return json.loads(found[1])


async def get(path: str, built: Path) -> httpx.Response:
    app = Starlette(routes=[Mount("/graphiql", graphiql.static_files(built))])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
        return await client.get(path)


def test_a_built_page_is_the_build_with_the_example_in_it(built: Path) -> None:
    assert graphiql.is_built(built)
    page = graphiql.page(Examples("scan_1", "scan_2", ("asset_1",)), built=built)
    assert injected(page) == {"scanId": "scan_1", "liveScanId": "scan_2", "assetIds": ["asset_1"]}
    assert graphiql.page(built=built) == SOURCE.read_text(encoding="utf-8")


def test_without_a_build_the_page_is_a_console_that_says_how_to_build(unbuilt: Path) -> None:
    assert not graphiql.is_built(unbuilt)
    page = graphiql.page(Examples("scan_1"), built=unbuilt)
    assert "make graphiql" in page
    assert "Node 20" in page
    assert injected(page) == {"scanId": "scan_1"}


@pytest.mark.parametrize(
    "scan_id",
    ["</script><script>alert(1)</script>", "</SCRIPT >", "<!--<script>", '"},{"', "\\u003c", "a\u2028b", "扫描"],
)
def test_no_id_leaves_the_script_it_is_written_into(scan_id: str, built: Path, unbuilt: Path) -> None:
    for folder in (built, unbuilt):
        page = graphiql.page(Examples(scan_id), built=folder)
        assert injected(page) == {"scanId": scan_id}
        assert page.count("<script") == graphiql.page(built=folder).count("<script")


def test_the_fallback_needs_no_inline_script_and_no_other_host(unbuilt: Path) -> None:
    page = graphiql.page(built=unbuilt)
    assert re.findall(r"<script type=\"module\" src=\"(.*?)\"></script>", page) == ["/graphiql/console.js"]
    assert re.findall(r"<link rel=\"stylesheet\" href=\"(.*?)\"", page) == ["/graphiql/console.css"]
    assert "://" not in page


def test_the_policy_names_no_other_host_and_lets_only_styles_stand_inline() -> None:
    sources = dict(part.split(" ", 1) for part in graphiql.CONTENT_SECURITY_POLICY.split("; "))
    assert set(" ".join(sources.values()).split()) == {"'self'", "'none'", "'unsafe-inline'", "data:"}
    assert sources["default-src"] == "'self'"
    assert [name for name, allowed in sources.items() if "'unsafe-inline'" in allowed] == ["style-src"]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("console.js", "text/javascript; charset=utf-8"), ("console.css", "text/css; charset=utf-8")],
)
async def test_the_consoles_files_are_served_where_the_page_looks(name: str, media_type: str, unbuilt: Path) -> None:
    answer = await get(f"/graphiql/{name}", unbuilt)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.content == (graphiql.CONSOLE / name).read_bytes()


async def test_the_builds_files_are_served_instead_once_it_is_there(built: Path) -> None:
    assert (await get("/graphiql/assets/index.js", built)).text == "export {};"
    assert (await get("/graphiql/console.js", built)).status_code == 404


async def test_a_browser_keeps_what_the_build_names_by_content_and_asks_again_about_the_rest(
    built: Path, unbuilt: Path
) -> None:
    paths = (("assets/index.js", built), ("index.html", built), ("console.js", unbuilt))
    answers = [await get(f"/graphiql/{path}", folder) for path, folder in paths]
    assert [answer.headers["cache-control"] for answer in answers] == [
        *("public, max-age=31536000, immutable", "no-cache", "no-cache")
    ]


async def test_no_path_leads_out_of_the_folder(built: Path) -> None:
    assert (await get("/graphiql/..%2f..%2fetc%2fpasswd", built)).status_code == 404


async def test_files_carry_the_policy_for_a_worker_takes_it_from_its_own_response(built: Path, unbuilt: Path) -> None:
    for path, folder in (("assets/index.js", built), ("index.html", built), ("console.js", unbuilt)):
        answer = await get(f"/graphiql/{path}", folder)
        assert answer.headers["content-security-policy"] == graphiql.CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_examples_are_found() -> None:
    assert (len(EXAMPLES), len(CONSOLE_QUERY)) == (5, 1)


@pytest.mark.parametrize("query", [QUERY, *EXAMPLES, *CONSOLE_QUERY])
def test_every_example_is_valid_in_this_schema(query: str) -> None:
    assert validate(build_schema(schema.as_str()), parse(query)) == []


@pytest.mark.parametrize("query", EXAMPLES)
def test_an_example_is_as_wide_as_the_editor_in_a_small_window(query: str) -> None:
    assert [line for line in query.splitlines() if len(line) > 50] == []


@pytest.mark.parametrize("query", [EXAMPLES[0], *CONSOLE_QUERY])
async def test_the_first_example_answers(query: str, gateway: World) -> None:
    data = await gateway.data(query, scanId=demo_examples(gateway.sandbox).scan_id)
    assert data["scan"]["assets"]["isReady"] is True
    assert len(data["assets"]["nodes"]) == 250


async def test_the_download_example_answers_with_a_job_to_follow(gateway: World) -> None:
    data = await gateway.data(EXAMPLES[2], assetIds=demo_examples(gateway.sandbox).asset_ids)
    payload = data["requestBatchDownload"]
    job_id = payload["downloadJob"]["jobId"]
    assert payload == {"downloadJob": {"jobId": job_id, "status": "PENDING"}, "userErrors": []}
    followed = await gateway.data("query($id: ID!) { downloadJob(jobId: $id) { jobId } }", id=job_id)
    assert followed == {"downloadJob": {"jobId": job_id}}


def test_the_demos_live_scan_is_under_way_whenever_it_is_looked_at(gateway: World) -> None:
    scan = gateway.sandbox.prism.scans[demo_examples(gateway.sandbox).live_scan_id]
    for seconds in (0, 1, 3_600, 86_400):
        assert scan.status(gateway.clock.now + seconds) == "PROCESSING"
