"""Redis absent, broken, or something else altogether: asked little, told once, and taken up again."""

import asyncio
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from gateway.cache.document import Document
from gateway.cache.packing import COMPRESS_FROM, MOST_BYTES, Unreadable, pack, unpack
from gateway.environment import read_settings
from gateway.process import create_gateway
from gateway.sandbox import Sandbox
from gateway.settings import BadSettingsError
from tests.processes import environment
from tests.redis_server import RedisServer
from tests.replicas import heard_by_all, replicas, sharing_of, until
from tests.world import World, given_for, settings_for, world

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

QUERY = "{ assets(first: 1) { nodes { assetId } } }"
KEY = "scenario:scope:asset:0:a"


def document(body: bytes) -> Document:
    return Document("asset", "a", body, 1.0, 2.0, 3.0, missing=True)


@asynccontextmanager
async def speaking(words: bytes) -> AsyncIterator[str]:
    """Something at an address of its own that says the same whatever it is asked."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            writer.write(words)
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


@pytest.mark.parametrize("body", [b"{}", b'"' + b"a" * 100_000 + b'"', "\u00e9".encode() * 2_000])
def test_a_document_is_read_as_it_was_written(body: bytes) -> None:
    packed = pack(document(body))
    assert packed is not None
    assert len(packed) < 2_100
    assert unpack(KEY, packed) == document(body)


@pytest.mark.parametrize("size", [*range(COMPRESS_FROM - 1, COMPRESS_FROM + 2), MOST_BYTES])
def test_a_document_of_just_the_size_from_which_it_is_compressed_or_up_to_which_it_is_shared_is_read(size: int) -> None:
    packed = pack(document(b" " * size))
    assert packed is not None
    assert unpack(KEY, packed).body == b" " * size


def test_a_document_that_is_too_large_is_not_written() -> None:
    assert pack(document(b" " * (MOST_BYTES + 1))) is None


def test_what_would_unpack_to_more_than_a_document_may_have_is_not_read_and_takes_no_memory() -> None:
    packed = pack(document(b" " * MOST_BYTES))
    assert packed is not None
    kept = msgspec.msgpack.decode(packed)
    body = b" " * (20 * MOST_BYTES)
    swollen = [*kept[:6], len(body), zlib.crc32(body), zstd.compress(body)]
    tracemalloc.start()
    with pytest.raises(Unreadable):
        unpack(KEY, msgspec.msgpack.encode(swollen))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * MOST_BYTES


def test_what_is_damaged_or_belongs_elsewhere_is_not_read() -> None:
    for body in (b'{"n": 12345678}', b"[" + b"1," * 5_000 + b"1]"):
        packed = pack(document(body))
        assert packed is not None
        damaged = [packed[:-3], packed[:-3] + b"xyz", b"", b"{}", packed.replace(b"asset", b"other")]
        for data in damaged:
            with pytest.raises(Unreadable):
                unpack(KEY, data)
        with pytest.raises(Unreadable):
            unpack("scenario:scope:asset:0:b", packed)


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$-7\r\n\x00\xff", b"*1\r\n" * 50, b"+OK\r\n"])
async def test_something_that_is_no_redis_costs_no_query_anything(words: bytes) -> None:
    async with speaking(words) as url, world({"gateway_redis_url": url}) as gateway:
        await asyncio.sleep(0.2)
        assert len((await gateway.data(QUERY))["assets"]["nodes"]) == 1
        counts = sharing_of(gateway).tier.counts
        assert (counts.hits, sharing_of(gateway).tier.link.is_up) == (0, False)
        assert counts.skipped >= 1


async def test_redis_that_is_not_there_is_told_once_and_asked_by_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with world({"gateway_redis_url": "redis://127.0.0.1:1/0"}) as gateway:
        link = sharing_of(gateway).tier.link
        await until(lambda: link.counts.failures > 2)
        await gateway.data(QUERY)
        assert link.counts.asked == 0
    assert [record.message for record in caplog.records if record.name == "gateway.redis"] == [
        "Redis does not answer (ConnectionError); going on without it"
    ]


async def test_what_was_changed_while_redis_was_away_is_told_when_it_is_back(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url) as (first, second):
        await first.data(QUERY)
        await heard_by_all(first)
        server.client.client_kill_filter(_type="normal", skipme=True)
        sharing_of(first).tier.link.is_up = False
        upstream, kinds = first.sources.scenario.upstream, first.sources.scenario.kinds
        upstream.drop_all(kinds.asset_page)
        await upstream.drop(kinds.asset, "a")
        sharing_of(first).tier.link.leave(ConnectionError())  # as if an answer had not come
        await until(lambda: sharing_of(first).tier.link.is_up)
        await until(lambda: second.gateway.store.generations.current == first.gateway.store.generations.current)
        assert server.client.get(f"gateway:1:dropped:{upstream.key(kinds.asset, 'a')}") is not None


@asynccontextmanager
async def coming_back(gateway: World, server: RedisServer) -> AsyncIterator[None]:
    """Lose Redis, and let the block run while it is asked which generations it has; wait until all is well again."""
    link = sharing_of(gateway).tier.link
    server.client.client_pause(60_000, all=False)  # what writes waits, and so does what comes after it
    link.leave(ConnectionError())  # as if an answer had not come
    await until(lambda: any("b" in client["flags"] for client in server.client.client_list()))
    yield
    assert not link.is_up
    server.client.client_unpause()
    await until(lambda: link.is_up)


async def test_what_is_changed_while_redis_comes_back_stays_so_and_is_told_at_once(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url) as (first, second):
        upstream, kinds = first.sources.scenario.upstream, first.sources.scenario.kinds
        upstream.drop_all(kinds.asset_page)
        await heard_by_all(first)
        async with coming_back(first, server):
            upstream.drop_all(kinds.asset_page)
            await upstream.drop(kinds.asset, "a")
            changed = dict(first.gateway.store.generations.current)
            assert second.gateway.store.generations.current != changed
        assert first.gateway.store.generations.current == changed
        await until(lambda: second.gateway.store.generations.current == changed)
        assert server.client.get(f"gateway:1:dropped:{upstream.key(kinds.asset, 'a')}") is not None


async def test_what_others_tell_while_redis_comes_back_is_newer_than_what_it_says_then(
    redis_url: str, server: RedisServer
) -> None:
    async with replicas(redis_url) as (first, second):
        first.sources.scenario.upstream.drop_all(first.sources.scenario.kinds.asset_page)
        await heard_by_all(first)
        (kind,) = first.gateway.store.generations.current
        async with coming_back(first, server):
            sharing_of(first).tier.link.hear(sharing_of(second).tier.news("generation", kind, "newer"))
        assert first.gateway.store.generations.current == {kind: "newer"}


def test_redis_is_needed_only_where_it_is_configured(tmp_path: Path) -> None:
    code = "import sys; sys.modules['redis'] = None; from gateway.cli import main; main(['serve'], prog_name='gateway')"
    settings = {"PRISM_API_KEY": "key", "SCENARIO_PUBLIC": "true", "GATEWAY_REDIS_URL": "redis://localhost"}
    ended = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", code],
        env=environment(settings),
        cwd=tmp_path,
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    told = "GATEWAY_REDIS_URL needs an extra: pip install 'scan-gateway[redis]'."
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (2, told)
    create = "import sys; sys.modules['redis'] = None; import gateway.app"
    assert subprocess.run([sys.executable, "-c", create], check=False).returncode == 0  # noqa: S603 - our own


def test_a_url_that_is_none_of_redis_is_refused_without_showing_it() -> None:
    sandbox = Sandbox()
    with pytest.raises(BadSettingsError) as refused:
        read_settings(None, **given_for(sandbox, gateway_redis_url="http://:secret@localhost"))
    (line,) = refused.value.lines
    assert line == (
        "GATEWAY_REDIS_URL cannot be used: It must begin with redis://, rediss:// or unix://. "
        "A Redis or Valkey, by which gateways share documents, changes, watches and rates."
    )


@pytest.mark.parametrize(
    "url", ["redis://localhost:port", "redis://localhost?ssl=true", "rediss://localhost?ssl_cert_reqs=CERT_NONE"]
)
async def test_a_url_that_redis_could_never_be_asked_by_is_told_at_the_start(url: str) -> None:
    with pytest.raises(BadSettingsError) as refused:
        create_gateway(settings_for(Sandbox(), gateway_redis_url=url))
    assert refused.value.lines == ["GATEWAY_REDIS_URL cannot be used: it is not an address of Redis."]
