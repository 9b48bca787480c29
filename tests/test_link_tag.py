"""The tag that names a scan, and what is remembered of links for a while."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadUserInput
from gateway.graph.ids import check_id
from gateway.links.recent import MOST_ASSETS, MOST_SCANS, REMEMBERED_FOR, RecentLinks
from gateway.links.tag import LinkTag
from tests.world import Clock

TAG = LinkTag("prism-scan:")


def is_id(text: str) -> bool:
    """Whether a text can be an id."""
    try:
        return check_id(text, "scanId") == text
    except BadUserInput:
        return False


@given(st.text(min_size=1).filter(is_id))
def test_every_id_is_written_in_small_letters_and_read_back(scan_id: str) -> None:
    tag = TAG.write(scan_id)
    assert re.fullmatch("prism-scan:(b32:[a-z2-7]+|[a-z0-9_-]+)", tag)
    assert [TAG.read(spelling) for spelling in TAG.spellings(scan_id)] == [scan_id] * len(TAG.spellings(scan_id))


@given(st.text(alphabet="prism-scan:b32aA7 =/%\x00é"))
def test_no_two_scans_share_a_tag(rest: str) -> None:
    scan_id = TAG.read(f"prism-scan:{rest}")
    assert scan_id is None or f"prism-scan:{rest}" in TAG.spellings(scan_id)


@pytest.mark.parametrize(
    ("tag", "scan_id"),
    [
        ("prism-scan:38ca8db3-eba2-4e15-adb3-45f3eee650b3", "38ca8db3-eba2-4e15-adb3-45f3eee650b3"),
        ("prism-scan:Scan_1.x~", "Scan_1.x~"),
        ("prism-scan:b32:knrwc3s7ge", "Scan_1"),
        ("prism-scan:b32:KNRWC3S7GE", None),
        ("prism-scan:b32:mfrgg", None),  # abc, which is written as it is
        ("prism-scan:b32:f4======", None),
        ("prism-scan:b32:f4", None),  # a slash
        ("prism-scan:b32:1", None),
        ("prism-scan:b32:é", None),
        ("prism-scan:b32:", None),
        ("prism-scan:", None),
        ("prism-scan:..", None),
        ("prism-scan:a b", None),
        ("prism-scan", None),
        ("Prism-scan:a", None),
        ("a prism-scan:a", None),
    ],
)
def test_a_tag_names_a_scan_or_none(tag: str, scan_id: str | None) -> None:
    assert TAG.read(tag) == scan_id
    assert TAG.scan_of(["a", tag, "prism-scan:other"]) == (scan_id or "other")


def test_what_is_remembered_ends_by_itself() -> None:
    clock = Clock()
    recent = RecentLinks(clock)
    recent.note("scan", ["a", "b"])
    clock.advance(REMEMBERED_FOR - 1)
    noted = recent.note("scan", ["c", "a"])
    assert list(recent.of("scan")) == ["b", "c", "a"]
    clock.advance(1)
    assert list(recent.of("scan")) == ["c", "a"]
    recent.forget("scan", {"c": noted, "unknown": noted})
    recent.forget("other", {"c": noted})
    assert list(recent.of("scan")) == ["a"]
    clock.advance(REMEMBERED_FOR)
    assert not recent.of("scan")
    assert not recent.of("other")
    assert not recent._scans  # noqa: SLF001 - nothing is left


def test_what_is_noted_anew_meanwhile_is_not_forgotten() -> None:
    recent = RecentLinks(Clock())
    noted = recent.note("scan", ["a", "b"])
    recent.note("scan", ["a"])
    recent.forget("scan", {"a": noted, "b": noted})
    assert list(recent.of("scan")) == ["a"]


def test_what_is_remembered_is_bounded() -> None:
    recent = RecentLinks(Clock())
    recent.note("scan", map(str, range(MOST_ASSETS + 1)))
    assert list(recent.of("scan")) == [str(number) for number in range(1, MOST_ASSETS + 1)]
    for number in range(MOST_SCANS):
        recent.note(str(number), ["a"])
    assert not recent.of("scan")
    assert list(recent.of("0")) == list(recent.of(str(MOST_SCANS - 1))) == ["a"]
