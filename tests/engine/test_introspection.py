"""What the schema tells of itself is graphql-core's answer byte for byte, by a plan or without one.

`INTROSPECTION_CASES=100000 pytest tests/engine/test_introspection.py` for the long form.
"""

import os
import re
import tracemalloc
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any

import msgspec
import pytest
from graphql import GraphQLObjectType, GraphQLSchema, get_introspection_query
from graphql.execution.values import VariableValues

from gateway.auth.caller import Caller
from gateway.engine.answer import Answer, Asked
from gateway.engine.disclosure import values_asked
from gateway.engine.engine import Engine
from gateway.engine.incremental import Form
from gateway.engine.operation import MAX_VARIANTS
from gateway.engine.operations import Operations
from gateway.engine.plan import Run
from gateway.federation import subgraph
from gateway.lexer import parse
from gateway.limits import DocumentLimits
from gateway.schema import build_schema, schema
from tests.callers import caller
from tests.engine.operations import GeneratedOperation, Maker
from tests.world import World

CASES = int(os.environ.get("INTROSPECTION_CASES", "60"))
GRAPHQL = subgraph(is_incremental=True)._schema  # noqa: SLF001 - graphql-core's own
FORMS = [its._schema for its in (schema, subgraph(), subgraph(is_incremental=True))]  # noqa: SLF001 - likewise
SWITCHES = (
    "descriptions", "specified_by_url", "directive_is_repeatable", "schema_description", "input_value_deprecation",
    "experimental_directive_deprecation", "one_of",
)  # fmt: skip
WHOLE = get_introspection_query(**dict.fromkeys(SWITCHES, True))
NAMES = [*GRAPHQL.type_map, "Nothing", "", "__Nothing"]


@pytest.fixture(scope="module", autouse=True)
def mended() -> None:
    """Other tests build schemas by Strawberry alone, which puts an `isOneOf` of its own into what all schemas share."""
    build_schema()


@pytest.fixture
def engine() -> Engine:
    return Engine(GRAPHQL, Operations(GRAPHQL))


@pytest.fixture
def judge() -> Engine:
    """graphql-core alone."""
    return Engine(GRAPHQL, Operations(GRAPHQL), uses_plans=False)


async def answer(engine: Engine, gateway: World, text: str, given: Mapping[str, Any], by: Caller | None = None) -> str:
    """The bytes of an answer, as text."""
    asked = Asked(text, given) if by is None else Asked(text, given, caller=by)
    make_context = partial(gateway.gateway.context, "request", asked.caller)
    return (await engine.answer(asked, make_context)).body.decode()


@pytest.mark.parametrize(
    ("text", "given"),
    [
        (WHOLE, {}),
        (get_introspection_query(descriptions=False), {}),
        ("{ a: __schema { queryType { name } } b: __schema { queryType { kind n: name __typename } } }", {}),
        ("{ __schema { __typename } __schema { types { name } ...A } } fragment A on __Schema { types { kind } }", {}),
        ("{ ... { __schema { ... on __Schema { directives { locations isRepeatable args { name } } } } } }", {}),
        ('{ __typename scan(scanId: "a") { scanId } __type(name: "Scan") { name fields { name } } }', {}),
        ('{ a: __type(name: "Nothing") { name } b: __type(name: "__Type") { name fields { name } } }', {}),
        ('{ __type(name: "Asset") { fields(includeDeprecated: true) { name isDeprecated deprecationReason } } }', {}),
        ('{ __type(name: "Asset") { fields(includeDeprecated: false) { name args { name defaultValue } } } }', {}),
        ('{ __type(name: "Asset") { isOneOf fields { type { isOneOf ofType { isOneOf } } } } }', {}),
        ('{ __type(name: "Node") { kind possibleTypes { name } interfaces { name } inputFields { name } } }', {}),
        ('{ __type(name: "AssetFilter") { isOneOf inputFields { name defaultValue type { name ofType { kind } } } } }',
         {}),
        ("query ($n: String!) { __type(name: $n) { name kind } }", {"n": "Query"}),
        ("query ($n: String!) { __type(name: $n) { name kind } }", {"n": "Nothing"}),
        ("query ($n: String!) { __type(name: $n) { name kind } }", {"n": None}),
        ("query ($n: String!) { __type(name: $n) { name kind } }", {}),
        ('query ($n: String = "Query") { __type(name: $n) { name kind } }', {}),
        ('query ($n: String = "Query") { a: __type(name: $n) { name } __typename }', {"n": None}),
        ("query ($d: Boolean!) { __schema { types { fields(includeDeprecated: $d) { name } } } }", {"d": True}),
        ("query ($d: Boolean!) { __schema { types { fields(includeDeprecated: $d) { name } } } }", {"d": False}),
        ("query ($d: Boolean) { __schema { types { fields(includeDeprecated: $d) { name } } } }", {}),
        ("query ($d: Boolean = true) { __schema { types { enumValues(includeDeprecated: $d) { name } } } }", {}),
        ("query ($s: Boolean!) { __schema @skip(if: $s) { types { name } } __typename }", {"s": True}),
        ("query ($s: Boolean!) { __schema { types { name @skip(if: $s) kind @include(if: $s) } } }", {"s": True}),
        ("query ($s: Boolean!) { __schema { types { name @skip(if: $s) kind @include(if: $s) } } }", {"s": False}),
        ("{ __schema { types { fields(includeDeprecated: null) { name } } } }", {}),
        ("{ __schema { types { nothing } } }", {}),
        ("{ __type { name } }", {}),
    ],
)  # fmt: skip
async def test_it_is_told_as_graphql_core_does(
    text: str, given: Mapping[str, Any], engine: Engine, judge: Engine, gateway: World
) -> None:
    ours = await answer(engine, gateway, text, given)
    assert ours == await answer(judge, gateway, text, given)
    assert "errors" in ours or engine.counts == {"planned": 1}


class IntrospectingMaker(Maker):
    """Makes operations that ask for the schema, beside little else."""

    def operation(self) -> GeneratedOperation:
        """A query with one to three root fields, some of which stand in fragments."""
        made = " ".join(self.root() for _ in range(self.random.randint(1, 3)))
        text = "\n".join([f"{{ {made} }}", *self.fragments])
        used = {name: type_ for name, type_ in self.variables.items() if re.search(rf"\${name}\b", text)}
        declared = ", ".join(f"${name}: {type_}" for name, type_ in used.items())
        head = f"query Q({declared})" if declared else "query Q"
        return GeneratedOperation(f"{head} {text}", {name: type_.partition(" ")[0] for name, type_ in used.items()})

    def root(self) -> str:
        """`__schema`, `__type` or something else."""
        chance = self.random.random()
        if chance < 0.1:
            return "__typename" if chance < 0.05 else f'{self.alias(always=True)}scan(scanId: "a") {{ scanId }}'
        if chance < 0.2:
            return f"... on Query{self.directive()} {{ {self.root()} }}"
        if chance < 0.6:
            return f"{self.alias(always=True)}__schema{self.directive()} {self.of('__Schema')}"
        name = self.variable("String!") if self.random.random() < 0.3 else f'"{self.random.choice(NAMES)}"'
        return f"{self.alias(always=True)}__type(name: {name}){self.directive()} {self.of('__Type')}"

    def of(self, name: str) -> str:
        """A selection on a type of introspection."""
        type_ = self.schema.type_map[name]
        assert isinstance(type_, GraphQLObjectType)
        return self.selection(type_, 4, 3)


def values_for(operation: GeneratedOperation, random: Random) -> dict[str, Any]:
    """A value of the right type for each variable."""
    choices: Mapping[str, list[Any]] = {"Boolean!": [True, False], "String!": NAMES}
    return {name: random.choice(choices[type_]) for name, type_ in operation.variables.items()}


async def test_whatever_is_asked_is_told_as_graphql_core_does(engine: Engine, judge: Engine, gateway: World) -> None:
    random, planned = Random(0 if "INTROSPECTION_CASES" not in os.environ else None), 0
    while planned < CASES:
        operation = IntrospectingMaker(GRAPHQL, random, {}).operation()
        if engine.operations.find(operation.text).errors:
            continue  # such are deeper than graphql-core's rule allows, or larger than a limit does
        given = values_for(operation, random)
        ours = await answer(engine, gateway, operation.text, given)
        assert ours == await answer(judge, gateway, operation.text, given), (operation.text, given)
        others = operation.text.count("{ scanId }")
        assert told_in(ours) <= values_asked(GRAPHQL, parse(operation.text), 10**9) + others, operation.text
        planned += 1
    assert engine.counts == {"planned": CASES}


def told_in(body: str) -> int:
    """How many values an answer has below its first ones."""
    return sum(map(values_in, msgspec.json.decode(body)["data"].values()))


def values_in(told: Any) -> int:
    """How many values there are in objects."""
    if isinstance(told, dict):
        return len(told) + sum(map(values_in, told.values()))
    return sum(map(values_in, told)) if isinstance(told, list) else 0


TYPE = "fragment A on __Type { name fields(includeDeprecated: true) { name args(includeDeprecated: true) { name } } }"


@pytest.mark.parametrize(
    ("text", "given"),
    [
        (WHOLE, {}),
        ("{ __schema { queryType { name } } b: __schema { queryType { name } } __typename }", {}),
        ("{ __schema { types { ...A ...A name } types { name kind } } }" + TYPE, {}),
        ('{ a: __type(name: "Query") { ...A } b: __type(name: "Asset") { ...A } c: __type(name: "x") { ...A } }' + TYPE,
         {}),
        ('query B { __type(name: "Query") { ofType { name } } } query A { __schema { queryType { name } } }', {}),
    ],
)  # fmt: skip
async def test_what_a_document_asks_of_the_schema_is_counted_before(
    text: str, given: Mapping[str, Any], engine: Engine, gateway: World
) -> None:
    operations = engine.operations.find(text).operations
    answers = [
        (await engine.answer(Asked(text, given, each.name), partial(gateway.gateway.context, "request"))).body.decode()
        for each in operations
    ]
    assert values_asked(GRAPHQL, parse(text), 10**9) == sum(map(told_in, answers))


def test_a_type_by_a_variable_counts_as_all_and_what_may_be_skipped_as_if_it_were_not() -> None:
    by_variable = parse("query ($n: String!, $s: Boolean!) { __type(name: $n) { name kind @skip(if: $s) } }")
    of_all = parse("{ __schema { types { name kind } } }")
    assert values_asked(GRAPHQL, by_variable, 10**9) == values_asked(GRAPHQL, of_all, 10**9) - 1


def test_it_is_counted_no_further_than_to_what_is_too_much() -> None:
    document = parse("{ __schema { types { fields { name type { name } } } } }")
    assert 10 < values_asked(GRAPHQL, document, 10) < 500 < values_asked(GRAPHQL, document, 10**9)


@pytest.mark.parametrize("form", FORMS)
def test_the_whole_schema_is_at_most_three_quarters_of_what_may_be_asked(form: GraphQLSchema) -> None:
    assert values_asked(form, parse(WHOLE), 10**9) < 0.75 * DocumentLimits().introspection


async def test_more_than_may_be_asked_is_refused_with_its_limit(gateway: World) -> None:
    text = "{ a: __schema { ...A } b: __schema { ...A } }" + WHOLE[WHOLE.index("fragment") :].replace(
        "fragment FullType", "fragment A on __Schema { types { ...FullType } } fragment FullType"
    )
    message = "This is too much: introspection may be 10,000 at most, and here are more."
    limit = {"limit": "GATEWAY_MAX_INTROSPECTION", "most": 10_000}
    extensions = {"code": "LIMIT_EXCEEDED", "retryable": False, **limit}
    assert await gateway.execute(text) == {"errors": [{"message": message, "extensions": extensions}]}


async def test_it_is_told_so_by_graphql_core_too_where_there_is_no_plan(
    engine: Engine, judge: Engine, gateway: World
) -> None:
    names = [f"v{number}" for number in range(5)]
    fields = " ".join(f"a{name}: name @include(if: ${name})" for name in names)
    text = f"query ({' '.join(f'${n}: Boolean!' for n in names)}) {{ __schema {{ types {{ kind {fields} }} }} }}"
    for choice in range(32):
        given = {name: bool(choice >> place & 1) for place, name in enumerate(names)}
        assert await answer(engine, gateway, text, given) == await answer(judge, gateway, text, given)
    assert engine.counts == {"planned": MAX_VARIANTS, "unplanned": 32 - MAX_VARIANTS}


async def test_who_may_not_have_another_field_is_told_of_the_schema_all_the_same(
    engine: Engine, judge: Engine, gateway: World
) -> None:
    nobody = caller()
    text = '{ scan(scanId: "a") { scanId } __type(name: "Scan") { name fields { name type { name } } } }'
    ours = await answer(engine, gateway, text, {}, nobody)
    assert ours == await answer(judge, gateway, text, {}, nobody)
    assert '"code":"FORBIDDEN"' in ours
    assert '"name":"measurement"' in ours or '"name":"assets"' in ours


@pytest.mark.parametrize("form", Form)
async def test_nothing_of_it_is_deferred_where_other_things_are(form: Form, engine: Engine, gateway: World) -> None:
    text = """{
      __schema { ... @defer { queryType { name } } directives @stream { name } }
      ... @defer { __type(name: "Scan") { name ... @defer { kind } } }
    }"""
    parts = await engine.answer_in_parts(Asked(text), partial(gateway.gateway.context, "request"), form)
    assert not isinstance(parts, Answer)
    first, *rest = [msgspec.json.decode(part) async for part in parts]
    await parts.aclose()
    directives = [{"name": directive.name} for directive in GRAPHQL.directives]
    assert first["data"] == {"__schema": {"queryType": {"name": "Query"}, "directives": directives}}
    assert [piece["data"] for part in rest for piece in part.get("incremental", ())] == [
        {"__type": {"name": "Scan", "kind": "OBJECT"}}
    ]


def test_nothing_that_is_told_is_kept_with_a_plan() -> None:
    operation = Operations(GRAPHQL).find(WHOLE).operations[0]
    plan = operation.plan(VariableValues({}, {}))
    assert plan is not None
    plan(None, Run(None, VariableValues({}, {})), None)
    tracemalloc.start()
    plan(None, Run(None, VariableValues({}, {})), None)
    left, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < most / 10  # CPython holds on to some empty objects
