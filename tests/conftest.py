"""What every test may ask for."""

from collections.abc import AsyncIterator

import pytest

from tests.world import World, world


@pytest.fixture
async def gateway() -> AsyncIterator[World]:
    """A gateway with default settings over a sandbox with default data."""
    async with world() as made:
        yield made
