"""A file of API keys, and one of them."""

from pathlib import Path

import pytest

from tests.auth.keys import made_in


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of one key, which is not that of the test."""
    made_in(tmp_path / "keys.jsonl")
    return tmp_path / "keys.jsonl"


@pytest.fixture
def key(path: Path) -> str:
    """A key in the file."""
    return made_in(path)
