"""graphql-core's lexer is the judge: of any text the same tokens, or the same error in the same place."""

from typing import Any

import pytest
from graphql import GraphQLSyntaxError, Lexer, Source, TokenKind, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import lexer
from gateway.lexer import TextLexer, has_more_than

PIECES = [
    "a", "_b9", "query", "é", "\ufeff", " ", "\t", ",", "\n", "\r", "\r\n", "#", "# c ", "{", "}", "(", ")", "[", "]",
    ":", "=", "!", "$", "@", "&", "|", ".", "..", "...", "0", "01", "-", "7", "1.5", "1.", "e3", "E-2", "+", '"', '""',
    '"""', '\\"""', "\\", "\\n", "\\u0041", "\\ud83d\\ude00", "\\ud800", "\\u{1F600}", "\\u{", "\\q", "'", "\0",
    "\x07", "\x85", "\u2028", "😀", "x" * 50,
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def tokens(of: type[Lexer], text: str) -> list[Any]:
    """Every token with its place and value; at last the error, if there is one."""
    reading = of(Source(text))
    found: list[Any] = []
    try:
        while (token := reading.advance()).kind is not TokenKind.EOF:
            found.append((token.kind, token.start, token.end, token.line, token.column, token.value))
        found.append((token.start, token.line, token.column))
    except GraphQLSyntaxError as error:
        found.append((error.message, error.positions))
    return found


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_any_text_has_the_tokens_that_graphql_core_finds(text: str) -> None:
    assert tokens(TextLexer, text) == tokens(Lexer, text)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_tokens_are_counted_as_graphql_core_counts_them_but_for_the_lines_of_block_strings(text: str) -> None:
    try:
        count = parse(text).token_count
    except GraphQLSyntaxError:
        return
    if '"""' not in text and "#" not in text:
        assert has_more_than(text, count - 1)
        assert not has_more_than(text, count)


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("{ a }", 3),
        ("# a\n# b\n", 2),
        ('"""one\ntwo\r\nthree\rfour"""', 4),
        ('"" "\\"" """a \\""" b"""', 3),
        ("-1.5e+3 0 ...", 3),
    ],
)
def test_no_more_is_counted_than_there_is(text: str, counted: int) -> None:
    assert has_more_than(text, counted - 1)
    assert not has_more_than(text, counted)


def test_nothing_is_counted_after_what_is_no_token() -> None:
    assert not has_more_than("a ? " + "a " * 10, 5)


def test_half_a_character_is_refused_as_graphql_core_refuses_it() -> None:
    with pytest.raises(GraphQLSyntaxError, match=r"Invalid character within String: U\+D800"):
        lexer.parse('{ a(b: "\ud800") }')
