"""What Redis keeps of generations: the last so many kinds, and nothing of those that nobody renews any more."""

from typing import Any

import pytest

from gateway.cache.ledger import WEEK, Ledger
from gateway.cache.link import Command
from tests.redis_server import RedisServer

pytestmark = pytest.mark.usefixtures("redis_url")  # which lets Redis be empty

KINDS = ["a", "b", "c", "d", "e"]
LEDGER = Ledger("generations", most=3)


def run(server: RedisServer, command: Command) -> Any:
    return server.client.execute_command(*command)  # type: ignore[no-untyped-call]


def renew(server: RedisServer, kind: str, generation: str = "1") -> None:
    run(server, LEDGER.renew(kind, generation, "channel", b"news"))


def agreed(server: RedisServer, **current: str) -> dict[bytes, bytes]:
    *_, generations = [run(server, command) for command in LEDGER.agree(current)]
    assert server.client.zcard("generations:written") == len(generations)
    return dict(generations)


def test_the_kinds_that_were_renewed_last_are_kept(server: RedisServer) -> None:
    for kind in KINDS:
        renew(server, kind)
    assert agreed(server) == {b"c": b"1", b"d": b"1", b"e": b"1"}


def test_a_kind_that_is_renewed_again_counts_once_and_has_its_last_generation(server: RedisServer) -> None:
    for number in range(10):
        renew(server, "a", str(number))
    assert agreed(server) == {b"a": b"9"}


def test_who_comes_back_brings_what_nobody_has_renewed_meanwhile(server: RedisServer) -> None:
    renew(server, "a", "theirs")
    assert agreed(server, a="mine", b="mine") == {b"a": b"theirs", b"b": b"mine"}
    assert len(agreed(server, **dict.fromkeys(KINDS, "mine"))) == 3


def test_what_nobody_renews_is_gone_after_a_week(server: RedisServer) -> None:
    renew(server, "a")
    lives = [server.client.ttl(key) for key in ("generations", "generations:written")]
    assert [WEEK - 60 < life <= WEEK for life in lives] == [True, True]


def test_a_redis_that_takes_nothing_still_tells(server: RedisServer) -> None:
    with server.client.pubsub() as heard:  # type: ignore[no-untyped-call]
        heard.subscribe("channel")
        assert heard.get_message(timeout=10)
        server.client.config_set("maxmemory", "1")
        try:
            renew(server, "a")
        finally:
            server.client.config_set("maxmemory", "0")
        message = heard.get_message(timeout=10)
    assert message is not None
    assert (message["data"], agreed(server)) == (b"news", {})
