"""One gateway over one sandbox for all tests that need no other settings: starting both takes a while."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.faults.stage import JOIN, UNKEPT, Running, Stage, sandbox_and_gateway, staged_on


@pytest.fixture(scope="session")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway that keeps nothing."""
    with sandbox_and_gateway(tmp_path_factory.mktemp("stage"), **UNKEPT) as running:
        yield running


@pytest.fixture
async def stage(processes: Running) -> AsyncIterator[Stage]:
    """The same, without faults, and asked by clients of this test."""
    async with staged_on(processes) as stage:
        await stage.mend()
        await stage.well_again(JOIN)
        yield stage
