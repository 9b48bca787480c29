"""graphql-core with all of its rules is the judge: rules that are left out would have found nothing."""

import re
from random import Random
from typing import Any

import pytest
from graphql import GraphQLError, GraphQLSyntaxError, validate

from gateway.engine.validation import MAX_ERRORS, RULES, find_errors
from gateway.errors import AskedTooMuch
from gateway.limits import DocumentLimits
from gateway.schema import build_schema

SCHEMA = build_schema(is_incremental=True)._schema  # noqa: SLF001 - graphql-core's own
DOCUMENTS = [
    "query A($id: ID!, $ids: [ID!]! = [1]) { scan(scanId: $id) { status } assetsById(assetIds: $ids) { id } }",
    "{ a: asset(assetId: 1) { ...F parent { ...F } } a: asset(assetId: 1) { id } } fragment F on Asset { id kind }",
    'query A { ...F @defer(label: "a") } query B { nodes(ids: 1) @stream { id } } fragment F on Query { a }',
    "subscription ($id: ID!) { scanUpdated(scanId: $id) { status } } fragment F on Scan { status @skip(if: true) }",
    "{ assets(first: 5, filter: { types: [TXT2IMG], tags: null }) { nodes { ... on Asset @skip(if: $a) { id id } } } }",
    'mutation ($a: ID) { unlockAsset(input: { assetId: "a", assetId: $a }) { userErrors { code } } }',
    "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } __type(name: A) { name } }",
    "{ node(id: 1) { ...F } nodes(ids: [$b]) { id ... { x } } } fragment F on Node { ...G } fragment G on T { ...F }",
    "type A { b: C } extend schema @a { query: D } { a }",
]  # fmt: skip
TOKENS = [re.findall(r'\.\.\.|"[^"]*"|\w+|[^\s\w]', text) for text in DOCUMENTS]
ALL_TOKENS = sorted({token for tokens in TOKENS for token in tokens})


def mutated(random: Random) -> str:
    """One of the documents, or two of them, with some tokens left out, repeated or replaced."""
    tokens = [token for _ in range(random.randint(1, 2)) for token in random.choice(TOKENS)]
    for _ in range(random.randint(0, 4)):
        place = random.randrange(len(tokens))
        instead = random.choice([[], tokens[place : place + 2] * 2, [random.choice(ALL_TOKENS)]])
        tokens[place : place + random.randint(1, 2)] = instead
        if not tokens:
            tokens = ["{"]
    return " ".join(tokens)


def told(errors: list[GraphQLError]) -> list[Any]:
    return [error.formatted for error in errors]


@pytest.mark.parametrize("part", range(2))
def test_whatever_is_wrong_is_found(part: int) -> None:
    random, valid, invalid = Random(part), 0, 0
    while valid + invalid < 100:
        text = mutated(random)
        try:
            measured = DocumentLimits().parse(text)
        except (AskedTooMuch, GraphQLSyntaxError):
            continue
        expected = told(validate(SCHEMA, measured.document, RULES, MAX_ERRORS, hide_suggestions=True))
        assert told(find_errors(SCHEMA, text, measured, introspects=True, suggests=False)) == expected, text
        valid, invalid = valid + (not expected), invalid + bool(expected)
    assert min(valid, invalid) > 2
