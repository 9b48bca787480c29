"""Who may come in: by which name, from which pages, and by which GET."""

import json
from hashlib import sha256
from typing import Any

import pytest

from gateway.http.door import CROSS_SITE, NOT_MEANT, host_of
from tests.http.exchanges import connect
from tests.world import World, world

ID = "request-1"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)
ELEMENTS = ["*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "image/avif,image/webp,*/*", "application/*", ""]
PAGE = "https://app.test"
ALLOWED = {"gateway_origins": f"{PAGE} https://admin.test"}
DATA = {"data": {"__typename": "Query"}}


async def get(gateway: World, **headers: str) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await gateway.client.get("/graphql?query={__typename}", headers={"x-request-id": ID, **named})
    return answer.status_code, answer.json()


def forbidden(message: str) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": "FORBIDDEN", "requestId": ID}}]}


@pytest.mark.parametrize("accept", ELEMENTS)
async def test_a_get_that_any_page_could_have_caused_is_not_executed(accept: str, gateway: World) -> None:
    assert await get(gateway, accept=accept) == (403, forbidden(NOT_MEANT))


@pytest.mark.parametrize("accept", [URQL, "application/json", "application/graphql-response+json;q=0.5, */*;q=0.1"])
async def test_a_get_that_asks_for_graphql_or_json_is_executed(accept: str, gateway: World) -> None:
    assert await get(gateway, accept=accept) == (200, DATA)
    assert await get(gateway, accept=accept, sec_fetch_site="same-origin") == (200, DATA)


@pytest.mark.parametrize(
    "header",
    [
        {"content-type": "application/json"},
        {"content-type": "Application/JSON; charset=utf-8"},
        {"graphql-require-preflight": "true"},
        {"apollo-require-preflight": "true"},
        {"x-apollo-operation-name": "Q"},
        {"sec-fetch-mode": "cors", "sec-fetch-site": "same-origin"},
    ],
)
async def test_a_get_with_a_header_that_a_browser_asks_about_first_is_executed(
    header: dict[str, str], gateway: World
) -> None:
    assert await get(gateway, accept="*/*", **header) == (200, DATA)


@pytest.mark.parametrize("headers", [{"accept": "image/*,*/*"}, {"accept": URQL, "sec-fetch-site": "cross-site"}])
async def test_nor_is_its_document_kept(headers: dict[str, str], gateway: World) -> None:
    known = {"persistedQuery": {"version": 1, "sha256Hash": sha256(b"{ __typename }").hexdigest()}}
    asked = {"query": "{ __typename }", "extensions": json.dumps(known)}
    answer = await gateway.client.get("/graphql", params=asked, headers=headers)
    assert answer.status_code == 403
    answer = await gateway.client.post("/graphql", json={"extensions": known})
    assert answer.json()["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"


async def test_a_get_that_asks_nothing_is_told_that_whatever_it_accepts(gateway: World) -> None:
    answer = await gateway.client.get("/graphql", headers={"accept": "*/*"})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("mode", ["no-cors", "navigate"])
async def test_an_element_or_a_link_is_no_script(mode: str, gateway: World) -> None:
    assert await get(gateway, accept="*/*", sec_fetch_mode=mode) == (403, forbidden(NOT_MEANT))


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_content_type_that_forms_have_is_no_such_header(content_type: str, gateway: World) -> None:
    assert await get(gateway, accept="*/*", content_type=content_type) == (403, forbidden(NOT_MEANT))


async def test_a_get_from_another_site_is_not_executed_whatever_it_accepts(gateway: World) -> None:
    other = {"accept": URQL, "sec_fetch_site": "cross-site", "origin": PAGE, "graphql_require_preflight": "true"}
    assert await get(gateway, **other) == (403, forbidden(CROSS_SITE))


async def test_a_post_needs_no_such_header_for_it_is_json(gateway: World) -> None:
    answer = await gateway.client.post("/graphql", json={"query": "{ __typename }"}, headers={"accept": "*/*"})
    assert (answer.status_code, answer.json()) == (200, DATA)


async def test_pages_of_the_origins_that_are_named_may_ask_and_read() -> None:
    async with world(ALLOWED) as gateway:
        headers = {"origin": PAGE, "sec-fetch-site": "cross-site"}
        for answer in (
            await gateway.client.get("/graphql?query={__typename}", headers=headers),
            await gateway.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers),
        ):
            assert (answer.status_code, answer.json()) == (200, DATA)
            assert answer.headers["access-control-allow-origin"] == PAGE
            assert (
                answer.headers["access-control-expose-headers"]
                == "etag, x-request-id, retry-after, ratelimit, ratelimit-policy"
            )
            assert "Origin" in answer.headers["vary"]
            assert "access-control-allow-credentials" not in answer.headers


async def test_a_browser_is_told_beforehand_what_those_pages_may_send() -> None:
    async with world(ALLOWED) as gateway:
        asked = {"origin": PAGE, "access-control-request-method": "POST"}
        answer = await gateway.client.options(
            "/graphql", headers={**asked, "access-control-request-headers": "content-type,authorization"}
        )
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-allow-methods"] == "GET, HEAD, POST"
        assert answer.headers["access-control-allow-headers"] == "content-type,authorization"
        assert answer.headers["access-control-max-age"] == "7200"


@pytest.mark.parametrize("settings", [{}, ALLOWED])
async def test_pages_of_any_other_origin_read_nothing(settings: dict[str, Any]) -> None:
    async with world(settings) as gateway:
        headers = {"origin": "https://app.test.evil.test", "access-control-request-method": "POST"}
        for method in ("OPTIONS", "POST"):
            answer = await gateway.client.request(method, "/graphql", json={"query": "{ __typename }"}, headers=headers)
            assert "access-control-allow-origin" not in answer.headers
        assert (await get(gateway, sec_fetch_site="cross-site", origin="https://other.test"))[0] == 403


@pytest.mark.parametrize("host", ["gateway.test", "GATEWAY.test:8000", "[::1]:8000"])
async def test_the_gateway_is_asked_by_the_names_that_it_has(host: str) -> None:
    async with world({"gateway_hosts": "gateway.test [::1]"}) as gateway:
        assert await get(gateway, host=host) == (200, DATA)


@pytest.mark.parametrize("host", ["evil.test", "gateway.test.evil.test", "gateway.test:x", ""])
async def test_it_is_asked_by_no_other(host: str) -> None:
    async with world({"gateway_hosts": "gateway.test"}) as gateway:
        assert await get(gateway, host=host) == (421, forbidden("The gateway is not asked by this host name."))
        refused = await connect(gateway.app, admitted=False, headers={"host": host})
        assert refused.sent[0]["status"] == 403
        assert refused.sent[1]["body"] == b"The gateway is not asked by this host name."


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"a.test", "a.test"),
        (b"A.test:80", "a.test"),
        (b"[::1]", "[::1]"),
        (b"[::1]:80", "[::1]"),
        (b"", ""),
        (b":80", ":80"),
    ],
)
def test_the_name_of_a_host_is_what_stands_before_its_port(header: bytes, name: str) -> None:
    assert host_of(header) == name


async def test_no_answer_is_read_as_something_else_or_by_another_sites_elements(gateway: World) -> None:
    for query in ("{ __typename }", "{"):
        answer = await gateway.client.post("/graphql", json={"query": query})
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"gateway_host": "127.0.0.1"}, 200),
        ({"gateway_host": "::1"}, 200),
        ({"gateway_host": "::"}, 400),
        ({"gateway_host": "::", "gateway_graphiql": True}, 200),
        ({"gateway_host": "localhost", "gateway_graphiql": False}, 400),
    ],
)
async def test_graphiql_is_shown_beyond_this_machine_only_where_it_is_asked_for(
    settings: dict[str, Any], status: int
) -> None:
    async with world(settings) as gateway:
        assert (await gateway.client.get("/graphql", headers={"accept": "text/html"})).status_code == status
