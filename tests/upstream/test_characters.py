"""Halves of characters in JSON, against Python's own reader, which takes them."""

import json
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.characters import MOST_HALVES, read_whole, whole

ESCAPES = [r"\ud83d", r"\ude00", r"\uDBFF", r"\udfff", r"\u0041", r"\\", r"\n", r"\""]
PIECES = [*ESCAPES, "ud83d", "a", "\u00e4", "\U0001f600"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_each_half_of_a_character_is_replaced_and_nothing_else(text: str) -> None:
    told = json.loads(f'"{text}"')
    assert msgspec.json.decode(whole(f'"{text}"'.encode())) == re.sub("[\ud800-\udfff]", "\ufffd", told)


def test_what_consists_of_halves_is_none_that_was_cut() -> None:
    with pytest.raises(msgspec.DecodeError):
        read_whole(msgspec.json.decode, b'"%b"' % (rb"\ud83d " * (MOST_HALVES + 1)))


@pytest.mark.parametrize("body", [b"", b"{}", b'"\0"', b'"\\ud83', b"<html>"])
def test_what_holds_no_half_stays_as_it_came(body: bytes) -> None:
    assert whole(body) == body
