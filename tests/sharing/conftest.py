"""One Redis for these tests, empty for each."""

from collections.abc import Iterator

import pytest

from tests.redis_server import RedisServer, running_redis


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A redis-server for a module."""
    with running_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def redis_url(server: RedisServer) -> str:
    """Where it is, without anything in it."""
    server.client.flushall()
    return server.url
