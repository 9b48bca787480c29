"""What an attack costs somebody else: how long the loop of a real server is busy with it at a stretch.

Whoever asks meanwhile waits for two turns of the loop: the one under way, and the one in which their answer is made.
Their CPU is measured, not the clock, which whatever else a machine does would move; how long a bystander waited by
the clock is shown beside it, by `pytest -s`. A bystander may wait 100 ms longer where limits in milliseconds were
written: two turns of 50 ms, each 17 times what graphql-core takes there for the demo's query. A machine of any speed
is held to that ratio.
"""

import asyncio
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import pytest

from gateway.app import create_app
from gateway.sandbox import Sandbox
from gateway.serving import listen, serving
from tests.test_attacks import DOCUMENTS, INTROSPECTION, REQUESTS, TIMES, Attack, what_it_came_to
from tests.world import URL, settings_for
from tests.yardstick import Measured, yards

pytestmark = pytest.mark.uncovered

MOST = yards(100 / 2)  # in one turn of the loop
ASKED = {"query": "{ __typename }"}
ANSWER = {"data": {"__typename": "Query"}}


class MeasuredLoop(asyncio.SelectorEventLoop):
    """An event loop that notes the CPU seconds of its longest turn."""

    longest = 0.0

    def _run_once(self) -> None:
        began = time.thread_time()
        super()._run_once()  # type: ignore[misc] # asyncio's own, which typeshed does not know
        self.longest = max(self.longest, time.thread_time() - began)


@dataclass
class Served:
    """A gateway behind a socket, in a thread of its own."""

    url: str = ""
    loop: MeasuredLoop = field(default_factory=MeasuredLoop)
    begun: threading.Event = field(default_factory=threading.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        sandbox = Sandbox(url=URL)
        transport = httpx.ASGITransport(app=sandbox.app)
        app = create_app(settings_for(sandbox), transports={"prism": transport, "scenario": transport})
        with listen("127.0.0.1", 0, "nothing") as listener:
            self.url = "http://{}:{}/graphql".format(*listener.getsockname())
            async with serving((app, listener)):
                self.begun.set()
                await self.over.wait()


@dataclass
class Bystander:
    """Asks for the same again and again, and notes the longest that it waited, in seconds by the clock."""

    url: str
    longest: float = 0.0
    answers: int = 0
    has_enough: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(verify=False) as client:  # noqa: S501 - which takes no time to begin, over plain HTTP
            while not self.has_enough.is_set():
                began = time.perf_counter()
                assert client.post(self.url, json=ASKED).json() == ANSWER
                self.longest = max(self.longest, time.perf_counter() - began)
                self.answers += 1

    def wait_for(self, answers: int) -> None:
        until = time.monotonic() + 20
        while self.answers < answers:
            assert time.monotonic() < until
            time.sleep(0.001)


@contextmanager
def standing_by(url: str) -> Iterator[Bystander]:
    """Somebody who has begun to ask, and is asking still when the block ends."""
    bystander = Bystander(url)
    thread = threading.Thread(target=bystander.run, name="bystander")
    thread.start()
    try:
        bystander.wait_for(2)
        bystander.longest = 0.0
        yield bystander
        bystander.wait_for(bystander.answers + 2)
    finally:
        bystander.has_enough.set()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """One gateway for every attack; like a server, it does not collect what was there when it began."""
    gateway = Served()
    thread = threading.Thread(target=gateway.run, name="gateway")
    thread.start()
    assert gateway.begun.wait(20)
    gc.collect()
    gc.freeze()
    yield gateway
    gc.unfreeze()
    gateway.loop.call_soon_threadsafe(gateway.over.set)
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("attack", [*DOCUMENTS, *INTROSPECTION, *REQUESTS], ids=lambda attack: attack.name)
def test_a_bystander_is_answered_meanwhile(attack: Attack, served: Served) -> None:
    measured = Measured()
    with httpx.Client(verify=False) as attacker, standing_by(served.url) as bystander:  # noqa: S501 - as above
        for number in range(TIMES):
            served.loop.longest = 0.0
            answer = sent_by(attacker, attack.afresh(number), served.url)
            measured.note(served.loop.longest)
            assert (answer.status_code, what_it_came_to(answer)) == (attack.status, attack.comes_to)
    print(f"{attack.name:40}{measured}, {bystander.longest * 1_000:7.1f} ms by the clock")  # noqa: T201 - as above
    assert measured.yards < MOST


def sent_by(attacker: httpx.Client, attack: Attack, url: str) -> httpx.Response:
    headers = {"accept": "application/json", **attack.headers}
    asked = f"{url}?{attack.query_string}" if attack.query_string else url
    return attacker.request(attack.method, asked, content=attack.content, headers=headers)
