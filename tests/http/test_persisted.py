"""Documents by their hash, in Apollo's protocol, and trusted documents from a manifest."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.http.persisted import ENTRY_OVERHEAD, PersistedDocuments, TrustedDocuments, read_trusted
from gateway.http.refusal import Refusal
from gateway.sandbox import Sandbox
from gateway.settings import BadSettingsError
from tests.processes import run
from tests.world import World, settings_for, world

QUERY = "query Name { __typename }"
ANSWER = {"data": {"__typename": "Query"}}
MUTATION = 'mutation { unlockAsset(input: { assetId: "asset_1" }) { userErrors { code } } }'
GRAPHQL = {"accept": "application/graphql-response+json"}


def hash_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def extensions(id_: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": id_}}


async def post(gateway: World, **body: Any) -> httpx.Response:
    return await gateway.client.post("/graphql", json=body)


async def get(gateway: World, **parameters: Any) -> httpx.Response:
    written = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in parameters.items()}
    return await gateway.client.get("/graphql", params=written)


def error_of(answer: httpx.Response) -> tuple[int, str, str, str]:
    """Status, code, message and what caches are told."""
    (error,) = answer.json()["errors"]
    assert answer.json().keys() == {"errors"}
    return answer.status_code, error["extensions"]["code"], error["message"], answer.headers["cache-control"]


NOT_FOUND = (200, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound", "no-store")
MISMATCH = (400, "BAD_REQUEST", "The id of the persisted document is not the SHA-256 of `query`.", "no-store")


@pytest.mark.parametrize("ask", [post, get])
async def test_a_document_is_sent_once_and_named_by_its_hash_after_that(ask: Any, gateway: World) -> None:
    known = extensions(hash_of(QUERY))
    assert error_of(await ask(gateway, extensions=known)) == NOT_FOUND
    for _ in range(2):
        assert (await ask(gateway, query=QUERY, extensions=known)).json() == ANSWER
    for again in (post, get):
        answer = await again(gateway, extensions=known)
        assert (answer.status_code, answer.json()) == (200, ANSWER)


async def test_a_document_is_named_by_document_id_too(gateway: World) -> None:
    id_ = f"sha256:{hash_of(QUERY)}"
    for ask in (post, get):
        assert error_of(await ask(gateway, documentId=id_)) == NOT_FOUND
    assert (await post(gateway, query=QUERY, documentId=id_)).json() == ANSWER
    for ask in (post, get):
        assert (await ask(gateway, documentId=id_)).json() == ANSWER
    assert (await post(gateway, extensions=extensions(hash_of(QUERY)))).json() == ANSWER


async def test_variables_and_the_operation_that_is_meant_go_with_the_hash(gateway: World) -> None:
    text = "query A($id: ID!) { scan(scanId: $id) { scanId } } query B { __typename }"
    known = extensions(hash_of(text))
    await post(gateway, query=text, operationName="B", extensions=known)
    answer = await get(gateway, operationName="A", variables={"id": "s"}, extensions=known)
    assert answer.json() == {"data": {"scan": {"scanId": "s"}}}


async def test_an_unknown_hash_has_the_status_of_a_refusal_in_the_newer_media_type(gateway: World) -> None:
    body = {"extensions": extensions(hash_of(QUERY))}
    answer = await gateway.client.post("/graphql", json=body, headers=GRAPHQL)
    assert error_of(answer) == (400, *NOT_FOUND[1:])


@pytest.mark.parametrize("ask", [post, get])
@pytest.mark.parametrize("id_", [hash_of("{ __typename }"), hash_of(QUERY).upper(), "md5", "a" * 64])
async def test_a_hash_that_is_not_the_documents_is_refused_and_neither_executed_nor_kept(
    id_: str, ask: Any, gateway: World
) -> None:
    asked = "{ assets(first: 1) { nodes { assetId } } }"
    for text in (QUERY, asked):
        assert error_of(await ask(gateway, query=text, extensions=extensions(id_))) == MISMATCH
    assert error_of(await ask(gateway, extensions=extensions(id_))) == NOT_FOUND
    assert gateway.calls == []


async def test_a_changing_document_is_not_executed_by_get_however_it_is_named(gateway: World) -> None:
    known = extensions(hash_of(MUTATION))
    assert (await post(gateway, query=MUTATION, extensions=known)).status_code == 200
    assert gateway.calls
    answer = await get(gateway, extensions=known)
    assert (answer.status_code, answer.headers["allow"], gateway.calls) == (405, "POST", [])


@pytest.mark.parametrize(
    "persisted",
    [1, "a", [], {}, {"version": 1}, {"sha256Hash": "a"}, {"version": 2, "sha256Hash": "a"},
     {"version": 1, "sha256Hash": ""}, {"version": 1, "sha256Hash": 7}, {"version": 1, "sha256Hash": None}],
)  # fmt: skip
async def test_a_malformed_name_is_refused(persisted: Any, gateway: World) -> None:
    message = "`extensions.persistedQuery` must have `version` 1 and a text as `sha256Hash`."
    answer = await post(gateway, query=QUERY, extensions={"persistedQuery": persisted})
    assert error_of(answer) == (400, "BAD_REQUEST", message, "no-store")


async def test_two_names_for_two_documents_are_refused(gateway: World) -> None:
    message = "`documentId` and `extensions.persistedQuery` name two documents."
    answer = await post(gateway, query=QUERY, documentId="a", extensions=extensions(hash_of(QUERY)))
    assert error_of(answer) == (400, "BAD_REQUEST", message, "no-store")


async def test_other_extensions_and_a_null_name_are_none(gateway: World) -> None:
    for given in ({}, {"persistedQuery": None}, {"clientLibrary": {"name": "a"}}):
        assert (await post(gateway, query=QUERY, extensions=given)).json() == ANSWER


async def test_without_room_a_client_is_told_to_send_documents_whole() -> None:
    async with world({"gateway_persisted_bytes": 0}) as gateway:
        known = extensions(hash_of(QUERY))
        refused = (200, "PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported", "no-store")
        assert (await post(gateway, query=QUERY, extensions=known)).json() == ANSWER
        assert error_of(await post(gateway, extensions=known)) == refused


def test_what_is_remembered_stays_within_its_bytes_and_the_least_recently_asked_goes_first() -> None:
    texts = [f"{{ a{number:03}: __typename }}" for number in range(100)]
    weight = texts[0].__sizeof__() + ENTRY_OVERHEAD
    documents = PersistedDocuments(10 * weight)
    for text in texts:
        documents.text(text, hash_of(text))
        documents.text(None, hash_of(texts[0]))  # asked again and again, so it stays
    assert (len(documents), documents.used_bytes) == (10, 10 * weight)
    assert documents.text(None, hash_of(texts[-1])) == texts[-1]
    with pytest.raises(Refusal, match="PersistedQueryNotFound"):
        documents.text(None, hash_of(texts[1]))


def test_a_document_larger_than_all_room_is_executed_and_not_remembered() -> None:
    documents = PersistedDocuments(1_000)
    large = "#" * 1_000
    assert documents.text(large, hash_of(large)) == large
    assert (len(documents), documents.used_bytes) == (0, 0)


APOLLO = {
    "format": "apollo-persisted-query-manifest",
    "version": 1,
    "operations": [{"id": hash_of(QUERY), "name": "Name", "type": "query", "body": QUERY, "clientName": None}],
}
RELAY = {"0c1f4b": QUERY}
PREFIXED = {f"sha256:{hash_of(QUERY)}": QUERY}


@pytest.fixture
def manifest(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(request.param), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        (APOLLO, {"extensions": extensions(hash_of(QUERY))}),
        (APOLLO, {"documentId": f"sha256:{hash_of(QUERY)}"}),
        (APOLLO, {"documentId": hash_of(QUERY)}),
        (PREFIXED, {"extensions": extensions(hash_of(QUERY))}),
        (PREFIXED, {"documentId": f"sha256:{hash_of(QUERY)}"}),
        (RELAY, {"documentId": "0c1f4b"}),
    ],
    indirect=["manifest"],
)
async def test_a_trusted_document_is_executed_by_its_id_or_its_text(manifest: Path, name: dict[str, Any]) -> None:
    async with world({"gateway_trusted_documents": manifest}) as gateway:
        for ask in (post, get):
            for asked in (name, {**name, "query": QUERY}, {"query": QUERY}):
                answer = await ask(gateway, **asked)
                assert (answer.status_code, answer.json()) == (200, ANSWER)


NOT_IN_LIST = (403, "PERSISTED_QUERY_NOT_IN_LIST", "No trusted document has this id.", "no-store")
NOT_SAFE = (403, "QUERY_NOT_IN_SAFELIST", "Only trusted documents are executed; this is none of them.", "no-store")
OTHER = (400, "BAD_REQUEST", "The trusted document of this id is another than `query`.", "no-store")
ASSETS = "{ assets(first: 1) { nodes { assetId } } }"


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        ({"query": ASSETS}, NOT_SAFE),
        ({"query": f"{QUERY} "}, NOT_SAFE),
        ({"query": "{"}, NOT_SAFE),
        ({"query": ASSETS, "extensions": extensions(hash_of(ASSETS))}, NOT_IN_LIST),
        ({"extensions": extensions(hash_of(ASSETS))}, NOT_IN_LIST),
        ({"documentId": "0c1f4b"}, NOT_IN_LIST),
        ({"query": ASSETS, "documentId": hash_of(QUERY)}, OTHER),
    ],
)
@pytest.mark.parametrize("manifest", [APOLLO], indirect=True)
async def test_everything_else_is_refused_before_it_is_read(
    manifest: Path, asked: dict[str, Any], refused: tuple[Any, ...]
) -> None:
    async with world({"gateway_trusted_documents": manifest}) as gateway:
        for ask in (post, get):
            assert error_of(await ask(gateway, **asked)) == refused
        nothing = (400, "BAD_REQUEST", "This is no GraphQL request: it has no `query`.", "no-store")
        assert error_of(await post(gateway)) == nothing
        assert error_of(await post(gateway, query="")) == NOT_SAFE
        assert gateway.calls == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"\xff", "JSON is malformed: invalid character (byte 0)"),
        (b'{"a": 1}', "Expected `str`, got `int` - at `$[...]`"),
        (json.dumps({**APOLLO, "version": 2}).encode(), "it is of a version other than 1"),
        (json.dumps({**APOLLO, "operations": [{"id": "a"}]}).encode(),
         "Object missing required field `body` - at `$.operations[0]`"),
    ],
)  # fmt: skip
def test_a_manifest_that_cannot_be_read_stops_the_start_with_a_line(body: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(body)
    with pytest.raises(BadSettingsError) as caught:
        create_app(settings_for(Sandbox(), gateway_trusted_documents=path))
    assert caught.value.lines == [f"GATEWAY_TRUSTED_DOCUMENTS cannot be used: {why}."]


def test_a_manifest_that_is_gone_since_it_was_named_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(BadSettingsError, match="No such file or directory"):
        read_trusted(tmp_path / "gone.json")


def test_gateway_serve_ends_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("[]", encoding="utf-8")
    keys = {
        "PRISM_API_KEY": "a",
        "SCENARIO_PUBLIC": "true",
        "GATEWAY_TRUSTED_DOCUMENTS": "manifest.json",
        "GATEWAY_LOG_LEVEL": "error",
    }
    ended = run("serve", folder=tmp_path, settings=keys)
    line = "GATEWAY_TRUSTED_DOCUMENTS cannot be used: Expected `object`, got `array`.\n"
    assert (ended.returncode, ended.stderr) == (2, line)


def test_an_empty_list_trusts_nothing() -> None:
    documents = TrustedDocuments({}, frozenset())
    for query, id_ in ((QUERY, None), (None, "a"), (QUERY, hash_of(QUERY))):
        with pytest.raises(Refusal):
            documents.text(query, id_)
