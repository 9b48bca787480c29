"""What is sent to hurt: each attack with the whole of its answer, and the CPU that it took, which `pytest -s` shows.

An attack may cost 20 ms of CPU where limits in milliseconds were written: 7 times what graphql-core takes there for the
demo's query. A machine of any speed is held to that ratio and half as much again, for no two have the same caches.

Beside aliases, depth, fragments and the like these are the points of OWASP's cheat sheet for GraphQL that concern
what may be asked: depth, amount and cost, batches, input that is none, introspection, and errors that tell nothing.
How often is tested in `rates`, and what ids could reach in `test_hostile_ids`.
Tokens are attacked as the best current practice for them (RFC 8725) tells.
"""

import asyncio
import gc
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from graphql import get_introspection_query

from tests.auth.forged import GOOD, forged, of_key
from tests.auth.issuer import Document, by_tokens, published
from tests.auth.keys import bearing
from tests.world import World, world
from tests.yardstick import Measured, yards

pytestmark = pytest.mark.uncovered

MOST = 1.5 * yards(20)
TIMES = 3
JSON = {"content-type": "application/json"}
PARSE, INVALID, LIMIT = "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "LIMIT_EXCEEDED"
BAD, INPUT = "BAD_REQUEST", "BAD_USER_INPUT"
MANY = range(10_000)


@dataclass(frozen=True)
class Attack:
    """A request, and what it comes to: a status, and a code or the name of a limit; None where it is answered.

    The answer is shorter than `most_bytes`.
    """

    name: str
    status: int
    comes_to: str | None
    content: bytes
    query_string: str = ""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    most_bytes: int = 15_000

    def afresh(self, number: int) -> "Attack":
        """The same after so many spaces, which make it a document not yet known."""
        return replace(
            self,
            content=self.content.replace(b'"query": "', b'"query": "' + b" " * number, 1),
            query_string=self.query_string.replace("query=", "query=" + "+" * number, 1),
        )


def posted(name: str, status: int, comes_to: str | None, query: str, **variables: Any) -> Attack:
    """Send a document by POST."""
    return Attack(name, status, comes_to, json.dumps({"query": query, "variables": variables}).encode())


def got(name: str, status: int, comes_to: str | None, query_string: str, **headers: str) -> Attack:
    """Send parameters by GET, with headers beside the Accept of the test's client."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Attack(name, status, comes_to, b"", query_string, "GET", named)


def fragments(count: int, body: str, on: str = "Query") -> str:
    """So many fragments, of which each spreads the next by `NEXT` in its body."""
    each = [f"fragment F{i} on {on} {{ {body.replace('NEXT', f'...F{i + 1}')} }}" for i in range(count)]
    return " ".join([*each, f"fragment F{count} on {on} {{ __typename }}"])


def nested(opening: str, closing: str, depth: int, inner: str = "") -> str:
    return opening * depth + inner + closing * depth


ASSETS = "query ($ids: [ID!]!) { assetsById(assetIds: $ids) { id } }"
FILTERED = "query ($filter: AssetFilter) { assets(filter: $filter) { __typename } }"
CHANGE = 'mutation { unlockAsset(input: { assetId: "a" }) { userErrors { code } } }'
FIELD = "__typename"
CIRCLE = "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"
BELOW = nested("{ parent", "}", 99, "{ id }")
DEEP_FILTER = nested("{a:", "}", 150, "1")
TYPO = " ".join(f"assetIdentifierOfTheVeryLong{number}" for number in range(470))
SCANS = "query ($ids: [ID!]!) { scansById(scanIds: $ids) { status } }"


def doubled(times: int) -> str:
    """A document whose answer is so many times twice as large."""
    return "{ asset(assetId: 1) { ...F0 } }" + fragments(times, "a: parent { NEXT } b: parent { NEXT }", on="Asset")


DOCUMENTS = [
    posted("10,000 aliases", 200, "GATEWAY_MAX_DOCUMENT_BYTES", f"{{ {' '.join(f'a{i}: {FIELD}' for i in MANY)} }}"),
    posted("300 aliases", 200, "GATEWAY_MAX_ALIASES", f"{{ {' '.join(f'a{i}:{FIELD}' for i in range(300))} }}"),
    posted("100 root fields", 200, "GATEWAY_MAX_ROOT_FIELDS", f"{{ {' '.join(f'a{i}:{FIELD}' for i in range(100))} }}"),
    posted("100,000 tokens", 200, "GATEWAY_MAX_DOCUMENT_BYTES", f"{{ {'a ' * 100_000} }}"),
    posted("10,000 tokens", 200, "GATEWAY_MAX_TOKENS", f"{{ {'a ' * 10_000} }}"),
    posted("15,000 comments", 200, "GATEWAY_MAX_TOKENS", "#\n" * 15_000 + "{ __typename }"),
    posted("a comment of 30 kB", 200, None, f"#{'x' * 30_000}\n{{ __typename }}"),
    posted("32 kB of white space", 200, None, " " * 32_000 + "{ __typename }"),
    posted("a name of 32 kB", 200, INVALID, f"{{ {'x' * 32_000} }}"),
    posted("a string of 32 kB", 200, INPUT, '{ asset(assetId: "' + "\\n" * 15_000 + '") { id } }'),
    posted("a block string of 32 kB", 200, INPUT, '{ asset(assetId: """' + "x" * 30_000 + '""") { id } }'),
    posted("a block string of 15,000 lines", 200, "GATEWAY_MAX_TOKENS",
           '{ asset(assetId: """' + "x\n" * 15_000 + '""") { id } }'),
    posted("depth", 200, "GATEWAY_MAX_DEPTH", f"{{ asset(assetId: 1) {BELOW} }}"),
    posted("inline fragments in each other", 200, None, nested("{ ... ", "}", 140, "{ __typename }")),
    posted("400 inline fragments in each other", 200, "GATEWAY_MAX_TOKENS",
           nested("{ ... ", "}", 400, "{ __typename }")),
    posted("320 inline fragments in each other", 200, PARSE, nested("{ ... ", "}", 320, "{ __typename }")),
    posted("lists in each other", 200, "GATEWAY_MAX_DEPTH", f"{{ asset(assetId: {nested('[', ']', 150)}) {{ id }} }}"),
    posted("400 lists in each other", 200, PARSE, f"{{ asset(assetId: {nested('[', ']', 400)}) {{ id }} }}"),
    posted("objects in each other", 200, "GATEWAY_MAX_DEPTH", f"{{ assets(filter: {DEEP_FILTER}) {{ {FIELD} }} }}"),
    posted("400 directives", 200, "GATEWAY_MAX_DIRECTIVES", f"{{ __typename {'@a ' * 400} }}"),
    posted("50 times one directive", 200, INVALID, f"{{ __typename {'@skip(if: true) ' * 50} }}"),
    posted("fragments in themselves", 200, INVALID, CIRCLE),
    posted("many fragments in each other", 200, INVALID,
           "{ ...F0 } " + " ".join(f"fragment F{i} on Query {{ ...F0 ...F1 ...F2 ...F3 ...F4 }}" for i in range(6))),
    posted("a fragment doubled 30 times", 200, "GATEWAY_MAX_FRAGMENTS", doubled(30)),
    posted("a fragment doubled 20 times", 200, "GATEWAY_MAX_DEPTH", doubled(20)),
    posted("a fragment doubled 9 times", 200, "GATEWAY_MAX_FIELDS", doubled(9)),
    posted("a fragment doubled 8 times", 200, "GATEWAY_MAX_UPSTREAM_CALLS", doubled(8)),
    posted("a doubled fragment that meets itself", 200, None, "{ ...F0 } " + fragments(24, "NEXT NEXT")),
    posted("48 fragments one after the other", 200, None, "{ ...F0 } " + fragments(48, "NEXT")),
    posted("400 fragments", 200, "GATEWAY_MAX_TOKENS",
           f"{{ {' '.join(f'...F{i}' for i in range(400))} }} {fragments(400, FIELD)}"),
    posted("1,500 conflicting fields", 200, "GATEWAY_MAX_DOCUMENT_BYTES",
           f"{{ {' '.join(f'a: asset(assetId: {i}) {{ id }}' for i in range(1_500))} }}"),
    posted("45 conflicting fields", 200, "GATEWAY_MAX_MERGES",
           f"{{ {' '.join(f'a: asset(assetId: {i}) {{ id }}' for i in range(45))} }}"),
    posted("17 conflicting fields", 200, INVALID,
           f"{{ {' '.join(f'a: asset(assetId: {i}) {{ id }}' for i in range(17))} }}"),
    posted("a wrong name beside 190 enum values", 200, INVALID,
           f"{{ assets(filter: {{ types: [{'TXT2IMG ' * 190}] }}) {{ nodes {{ assetIdentifierr }} }} }}"),
    posted("470 names that do not exist", 200, INVALID, f"{{ assets {{ nodes {{ metadata {{ {TYPO} }} }} }} }}"),
    posted("300 fields of an input that do not exist", 200, "GATEWAY_MAX_VALUES",
           f"{{ assets(filter: {{ {' '.join(f'a{i}: 1' for i in range(300))} }}) {{ {FIELD} }} }}"),
    posted("190 enum values that do not exist", 200, INVALID,
           f"{{ assets(filter: {{ types: [{' '.join(f'TXT2IMG{i}' for i in range(190))}] }}) {{ {FIELD} }} }}"),
    posted("900 enum values that do not exist", 200, "GATEWAY_MAX_VALUES",
           f"{{ assets(filter: {{ types: [{' '.join(f'TXT2IMG{i}' for i in range(900))}] }}) {{ {FIELD} }} }}"),
    posted("a fragment twice, 900 times one field", 200, "GATEWAY_MAX_MERGES",
           f"{{ ...A }} fragment A on Query {{ {'a ' * 900} }} fragment A on Query {{ {FIELD} }}"),
    posted("190 operations", 200, "GATEWAY_MAX_DEFINITIONS", " ".join(f"query A{i} {{ {FIELD} }}" for i in range(190))),
    posted("240 variables", 200, INVALID, f"query ({' '.join(f'$v{i}: ID' for i in range(240))}) {{ {FIELD} }}"),
    posted("a number of 30,000 digits", 200, INVALID, f"{{ assets(first: {'1' * 30_000}) {{ {FIELD} }} }}"),
    posted("a number beyond 32 bits", 200, INVALID, f"{{ assets(first: {2**40}) {{ {FIELD} }} }}"),
    posted("a null byte", 200, PARSE, "{ \0 }"),
    posted("a null byte in an id", 200, INPUT, '{ asset(assetId: "\\u0000") { id } }'),
    posted("lists of lists of lists", 200, "GATEWAY_MAX_UPSTREAM_CALLS",
           "{assets{nodes{children{nodes{children{nodes{children{nodes{id}}}}}}}}}"),
    posted("pages of everything", 200, "GATEWAY_MAX_OBJECTS",
           f"{{ {' '.join(f'a{i}: assets(first: {1_000 - i}) {{ nodes {{ id }} }}' for i in range(11))} }}"),
    posted("20 times all scans", 200, "GATEWAY_MAX_UPSTREAM_CALLS",
           "query ($ids: [ID!]!) { " + " ".join(f"a{i}: scansById(scanIds: $ids) {{ status assets {{ isReady }} }}"
           for i in range(20)) + " }", ids=[str(i) for i in range(160)]),
]  # fmt: skip

SWITCHES = (
    "descriptions", "specified_by_url", "directive_is_repeatable", "schema_description", "input_value_deprecation",
    "experimental_directive_deprecation", "one_of",
)  # fmt: skip
WHOLE = get_introspection_query(**dict.fromkeys(SWITCHES, True))
HEAD, FRAGMENTS = WHOLE.split("fragment ", 1)
SCHEMA = HEAD[HEAD.index("__schema") :].strip().removesuffix("}")
OF_TYPE = "type { ofType { fields(includeDeprecated: $v) { name } } }"


def aliased(count: int, field: str) -> str:
    """So many times one field."""
    return " ".join(f"a{number}: {field}" for number in range(count))


def of_types(selected: str) -> str:
    """Select something of every type."""
    return f"{{ __schema {{ types {{ {selected} }} }} }}"


def of_fields(selected: str) -> str:
    """Select something of every field of every type."""
    return of_types(f"fields {{ {selected} }}")


def of_query(count: int, selected: str) -> str:
    """Select something of the largest type so many times."""
    each = aliased(count, '__type(name: "Query") { ...A }')
    return f"{{ {each} }} fragment A on __Type {{ {selected} }}"


def schemas(count: int) -> str:
    """Select the whole schema so many times."""
    return f"{{ {aliased(count, SCHEMA)} }} fragment {FRAGMENTS}"


def told(name: str, query: str, **variables: Any) -> Attack:
    """Ask for a part of the schema, or all of it, which is answered."""
    return replace(posted(name, 200, None, query, **variables), most_bytes=400_000)


TRACED = json.dumps({"query": WHOLE, "extensions": {"freshness": True}}).encode()
INTROSPECTION = [
    told("the whole schema", WHOLE),
    replace(told("the whole schema, and where it is from", WHOLE), content=TRACED),
    posted("the whole schema twice", 200, "GATEWAY_MAX_INTROSPECTION", schemas(2)),
    posted("the whole schema 12 times", 200, "GATEWAY_MAX_FIELDS", schemas(12)),
    told("the largest type 48 times",
         of_query(48, "kind fields { name args { name defaultValue } type { name ofType { name } } }")),
    told("every default of it 90 times", of_query(5, f"fields {{ args {{ {aliased(90, 'defaultValue')} }} }}")),
    told("every field of it 800 times", of_query(45, f"fields {{ {aliased(18, 'name')} }}")),
    posted("48 types by a variable", 200, "GATEWAY_MAX_INTROSPECTION",
           f"query ($of: String!) {{ {aliased(48, '__type(name: $of) { fields { name } }')} }}", of="Query"),
    told("24 times every field's name", of_fields(aliased(24, "name"))),
    posted("90 times every field's name", 200, "GATEWAY_MAX_INTROSPECTION", of_fields(aliased(90, "name"))),
    told("12 times every field's type", of_fields(aliased(12, "type { kind }"))),
    told("20 times every type's fields", of_types(aliased(20, "fields { name }"))),
    told("15 times every enum's values", of_types(aliased(15, "enumValues { description }"))),
    told("20 times what every field is of", of_fields(f"type {{ ofType {{ {aliased(20, 'description')} }} }}")),
    told("the fields of every field's type",
         of_fields("type { ofType { fields { name type { name ofType { name } } } } }")),
    told("49 switches in every type",
         f"query ($v: Boolean!) {of_types(aliased(49, 'name @skip(if: $v)'))}", v=False),
    posted("introspection in circles", 200, INVALID, of_fields("type { fields { type { fields { name } } } }")),
    posted("an argument that is null in every field", 200, INPUT, f"query ($v: Boolean) {of_fields(OF_TYPE)}", v=None),
    posted("a switch that is null in every field", 200, INPUT,
           f"query ($v: Boolean = true) {of_fields('type { ofType { name @skip(if: $v) } }')}", v=None),
    posted("a switch that is null", 200, INPUT, "query ($v: Boolean = true) { __typename @skip(if: $v) }", v=None),
]  # fmt: skip

LONG = json.dumps({"query": "{ __typename }", "variables": {"a": "x" * 300_000}}).encode()
MULTIPART = {"content-type": "multipart/form-data; boundary=a"}
REQUESTS = [
    Attack("a body of 10 MB", 413, "GATEWAY_MAX_BODY_BYTES", b'{"query": "' + b" " * 10_000_000 + b'"}'),
    Attack("a comment of 10 MB", 413, "GATEWAY_MAX_BODY_BYTES", b'{"query": "#' + b"x" * 10_000_000 + b'"}'),
    posted("a document of 1 MB", 200, "GATEWAY_MAX_DOCUMENT_BYTES", " " * 1_000_000),
    Attack("variables of 300 kB", 413, "GATEWAY_MAX_VARIABLES_BYTES", LONG),
    Attack("a body of brackets", 400, BAD, b"[" * 1_000_000),
    Attack("a body of objects in each other", 400, BAD, b'{"a":' * 100_000),
    Attack("a batch", 400, BAD, b"[" + b",".join([b'{"query": "{ __typename }"}'] * 1_000) + b"]"),
    Attack("a body without an end", 400, BAD, b'{"query": "{ __typename }'),
    Attack("a body that is a number", 400, BAD, b"9" * 100_000),
    Attack("a null byte in a body", 400, BAD, b'{"query": "\0"}'),
    Attack("the same key twice", 200, None, b'{"query": "{", "query": "{ __typename }"}'),
    Attack("half a character", 400, BAD, b'{"query": "\\ud800"}'),
    Attack("a form", 415, BAD, b"query={__typename}", headers={"content-type": "application/x-www-form-urlencoded"}),
    Attack("a form with files", 415, BAD, b"--a--", headers=MULTIPART),
    Attack("a zip bomb", 415, BAD, b"\x1f\x8b", headers={**JSON, "content-encoding": "gzip"}),
    Attack("a content type twice", 415, BAD, b"{}", headers={"content-type": "application/json, text/plain"}),
    Attack("a content type of 5 kB", 431, BAD, b"{}", headers={"content-type": "application/json;" + "a=b;" * 1_200}),
    Attack("an accept of 60 kB", 431, BAD, b"{}", headers={**JSON, "accept": "a/b;q=0.1," * 6_000}),
    posted("deep variables", 413, "GATEWAY_MAX_VARIABLES_DEPTH", FILTERED, filter=json.loads(nested("[", "]", 400))),
    posted("variables just too deep", 413, "GATEWAY_MAX_VARIABLES_DEPTH", FILTERED,
           filter={"types": json.loads(nested("[", "]", 10))}),
    posted("a list of 10,000", 413, "GATEWAY_MAX_LIST_ITEMS", ASSETS, ids=["a"] * 10_000),
    posted("a list of 2,000", 200, "GATEWAY_MAX_UPSTREAM_CALLS", SCANS, ids=["a"] * 2_000),
    posted("2,000 enum values that do not exist", 200, INPUT, FILTERED, filter={"types": ["TXT2IMG1"] * 2_000}),
    posted("5,000 fields of an object", 413, "GATEWAY_MAX_LIST_ITEMS", FILTERED,
           filter={f"typ{number}": 1 for number in range(5_000)}),
    posted("fields that do not exist", 200, INPUT, FILTERED, filter={f"typ{number}": 1 for number in range(2_000)}),
    posted("2,000 enum values, of which one does not exist", 200, INPUT, FILTERED,
           filter={"types": [*["TXT2IMG"] * 1_999, "TXT2IMGG"]}),
    posted("a huge number", 200, INPUT, "query ($n: Int!) { assets(first: $n) { __typename } }", n=10**18),
    posted("a prototype", 200, INPUT, FILTERED, filter={"__proto__": {}}),
    got("a URL of 60 kB", 414, "GATEWAY_MAX_URL_BYTES", "query={__typename}" + "x" * 60_000),
    got("1,000 parameters", 400, BAD, "&".join(["a=1"] * 1_000)),
    got("a parameter twice", 400, BAD, "query={__typename}&query={__typename}"),
    got("deep variables by GET", 413, "GATEWAY_MAX_VARIABLES_DEPTH",
        urlencode({"query": "{ __typename }", "variables": '{"a": ' + nested("[", "]", 200) + "}"})),
    got("brackets by GET", 400, BAD, urlencode({"query": "{ __typename }", "variables": "[" * 5_000})),
    got("an image's GET", 403, "FORBIDDEN", "query={__typename}", accept="image/avif,image/webp,*/*;q=0.8"),
    got("a link", 403, "FORBIDDEN", "query={__typename}", accept="text/html,*/*;q=0.8"),
    got("another site's script", 403, "FORBIDDEN", "query={__typename}", sec_fetch_site="cross-site"),
    got("a change by GET", 405, BAD, urlencode({"query": CHANGE})),
]  # fmt: skip


@pytest.fixture(scope="module")
def settled() -> Iterator[None]:
    """No garbage of other tests is collected on the account of an attack, as a server does when it starts."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Nothing is collected where JSON is nested as deeply as Python goes: hypothesis is told, by one call more."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
async def attacked() -> AsyncIterator[World]:
    """A gateway that has answered something already."""
    async with world() as gateway:
        await gateway.data("{ __typename }")
        yield gateway


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("attack", [*DOCUMENTS, *INTROSPECTION, *REQUESTS], ids=lambda attack: attack.name)
async def test_it_is_refused_or_answered_at_once(attack: Attack, attacked: World) -> None:
    size = len(attack.content or attack.query_string)
    tries = [request_of(attacked, attack.afresh(number)) for number in range(TIMES)]
    for answer in await at_once(attacked, tries, attack.name, size):
        assert (answer.status_code, what_it_came_to(answer)) == (attack.status, attack.comes_to)
        assert len(answer.content) < attack.most_bytes


def request_of(attacked: World, attack: Attack) -> httpx.Request:
    url = f"/graphql?{attack.query_string}" if attack.query_string else "/graphql"
    return attacked.client.build_request(attack.method, url, content=attack.content, headers=dict(attack.headers))


async def at_once(attacked: World, tries: list[httpx.Request], name: str, size: int) -> list[httpx.Response]:
    """Send something of a size some times, and give the answers, which must take little CPU and no upstream call."""
    measured, answers = Measured(), []
    for request in tries:
        begun = time.process_time()
        answers.append(await attacked.client.send(request))
        measured.note(time.process_time() - begun)
    came_to = f"{answers[0].status_code} {what_it_came_to(answers[0])}"
    print(f"{name:40}{size:>11,} bytes {measured}  {came_to}")  # noqa: T201 - read by whoever runs this with -s
    assert attacked.calls == []
    assert measured.yards < MOST
    return answers


@pytest.mark.usefixtures("settled", "uncollected")
@pytest.mark.parametrize("name", forged(""))
async def test_a_token_that_is_not_good_is_refused_at_once_and_nothing_of_it_is_shown(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="gateway")
    async with guarded() as (attacked, document):
        given = forged(f"{document.url}/of-the-attacker")[name]
        headers = [*JSON.items(), *(("authorization", one) for one in given)]
        post = partial(attacked.client.build_request, "POST", "/graphql", json={"query": "{ __typename }"})
        tries = [post(headers=headers) for _ in range(TIMES)]
        parts = [part for one in given for part in one[7:].split(".") if len(part) > 3]
        for answer in await at_once(attacked, tries, name, len("".join(given))):
            assert (answer.status_code, what_it_came_to(answer)) == (401, "UNAUTHENTICATED")
            assert answer.headers["www-authenticate"] == 'Bearer realm="scan-gateway", error="invalid_token"'
            assert [part for part in parts if part[:40] in f"{answer.headers}{answer.text}{caplog.text}"] == []
        assert document.fetches == 1


@pytest.mark.usefixtures("settled")
async def test_a_storm_of_unknown_keys_is_one_fetch_in_a_cooldown_and_hinders_nobody() -> None:
    async with guarded() as (attacked, document):
        post = partial(attacked.client.post, "/graphql", json={"query": "{ __typename }"})
        measured = Measured()
        for seconds in range(3):
            begun = time.process_time()
            attacked.clock.advance(10)
            storm = [post(headers=bearing(of_key(f"{seconds}-{number}"))) for number in range(300)]
            answers = await asyncio.gather(*storm, post(headers=bearing(GOOD)))
            measured.note((time.process_time() - begun) / 301)
            assert [answer.status_code for answer in answers] == [401] * 300 + [200]
            assert document.fetches == 2 + seconds
        print(f"each of 900 tokens of unknown keys {measured}, 3 fetches")  # noqa: T201 - as above
        assert measured.yards < MOST


@asynccontextmanager
async def guarded() -> AsyncIterator[tuple[World, Document]]:
    """A gateway that has let somebody in by a token, and the keys of who issues them."""
    async with published() as document, world(by_tokens(gateway_jwt_jwks_url=document.url)) as gateway:
        gateway.headers = bearing(GOOD)
        await gateway.data("{ __typename }")
        yield gateway, document


def what_it_came_to(answer: httpx.Response) -> str | None:
    """The one limit, or the code of every error, of an answer that has either errors or data."""
    body = answer.json()
    assert body.keys() in ({"errors"}, {"data"}, {"data", "errors"}, {"data", "extensions"})
    codes = {error["extensions"].get("limit", error["extensions"]["code"]) for error in body.get("errors", ())}
    assert len(codes) < 2
    return codes.pop() if codes else None
