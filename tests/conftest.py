"""What every test may ask for."""

import os
from collections.abc import AsyncIterator

import pytest

from tests.world import World, world


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the developer's shell exports for the gateway is not for the tests."""
    for name in [name for name in os.environ if name.startswith(("PRISM_", "SCENARIO_", "GATEWAY_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
async def gateway() -> AsyncIterator[World]:
    """A gateway with default settings over a sandbox with default data."""
    async with world() as made:
        yield made
