"""Requests a second over sockets, beside a bare server that answers the same bytes in the same rounds."""

import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import click
import httpx
import msgspec

from gateway.app import create_app
from gateway.bench.cpu import Upstreams, bench_app
from gateway.bench.load import ClosedLoop, Round, connected
from gateway.bench.modes import MODES, bench_settings
from gateway.bench.queries import Query
from gateway.bench.rounds import median_ratio, split
from gateway.bench.servers import Serve, Server, bare, serving, started
from gateway.bench.upstream import Remote
from gateway.http.application import App
from gateway.sandbox import Sandbox

BARE = "bare uvicorn"
IN_PROCESS = ("answers", "plans, warm", "stock, warm", "plans, cold")
OVER_SOCKETS = ("plans, cold", "stock, cold")
HEADERS = {"content-type": "application/json", "accept-encoding": "identity"}
LIMIT = 0.9


class Served(msgspec.Struct, frozen=True, rename="camel"):
    """Medians of the rounds: milliseconds, microseconds of the server's CPU a request, and shares of a bare server's.

    None is what the system does not tell, and the upstream calls where they are made in process. `load_share` is how
    much of the time the load itself was at work, and `is_limited_by_load` whether that left it no time.
    """

    requests_per_second: float
    of_bare: float
    p50: float
    p99: float
    cpu_microseconds: float | None
    cpu_of_bare: float | None
    upstream_calls: float | None
    load_share: float
    is_limited_by_load: bool


@dataclass(slots=True)
class _Measured:
    load: ClosedLoop
    remote: Remote | None
    rounds: list[Round] = field(default_factory=list)
    beside: list[Round] = field(default_factory=list)
    spent: float = 0.0
    calls: int = 0

    def round(self, seconds: float, beside: Round | None = None) -> Round:
        """Measure a round, `beside` that of the bare server; None when this is itself the bare server."""
        before = self.remote.calls if self.remote else 0
        one = self.load.round(seconds)
        self.calls += (self.remote.calls if self.remote else 0) - before
        self.spent += one.requests / one.rate
        self.rounds.append(one)
        self.beside.append(beside or one)
        return one

    def figures(self) -> Served:
        rounds, beside = self.rounds, self.beside
        spent = [its.cpu for its in rounds if its.cpu is not None]
        least = [its.cpu for its in beside if its.cpu is not None]
        load_share = statistics.median(its.load_share for its in rounds)
        calls = self.calls / sum(its.requests for its in rounds)
        return Served(
            requests_per_second=round(statistics.median(its.rate for its in rounds)),
            of_bare=round(median_ratio((its.rate for its in rounds), (its.rate for its in beside)), 4),
            p50=round(statistics.median(its.p50 for its in rounds), 2),
            p99=round(statistics.median(its.p99 for its in rounds), 2),
            cpu_microseconds=round(statistics.median(spent), 1) if spent else None,
            cpu_of_bare=round(median_ratio(least, spent), 4) if spent else None,
            upstream_calls=round(calls, 2) if self.remote else None,
            load_share=round(load_share, 2),
            is_limited_by_load=load_share > LIMIT,
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Servers by name: how each is served, and the upstream in another process that it calls, where there is one."""

    query: Query
    answers: Sequence[bytes]
    serves: Mapping[str, tuple[Serve, Remote | None]]

    def measure(self, seconds: float) -> dict[str, Served]:
        """Start all, then measure each for some seconds, in turns. Raises ClickException for an answer that differs."""
        with ExitStack() as stack:
            servers = {name: (stack.enter_context(started(serve)), its) for name, (serve, its) in self.serves.items()}
            for name, (server, _) in servers.items():
                self._check(name, server)
            measured = {
                name: _Measured(stack.enter_context(connected(server, self.query.bodies)), its)
                for name, (server, its) in servers.items()
            }
            _take_turns(measured, seconds)
        return {name: one.figures() for name, one in measured.items()}

    def _check(self, name: str, server: Server) -> None:
        with httpx.Client(base_url=server.url, headers=HEADERS, trust_env=False, timeout=30) as client:
            for body, answer in zip(self.query.bodies, self.answers, strict=True):
                got = client.post("/graphql", content=body).content
                if got != answer and name != BARE:
                    raise click.ClickException(f"{self.query.name}: {name!r} answers something else: {got[:200]!r}")


def every_way(
    sandbox: Sandbox, upstreams: Upstreams, remote: Remote, query: Query, answers: Sequence[bytes]
) -> Comparison:
    """Every mode, with the upstream in process, and those that call it each time with it over sockets too."""
    serves: dict[str, tuple[Serve, Remote | None]] = {BARE: (serving(bare, answers[0]), None)}
    serves |= {mode: (serving(bench_app, sandbox, upstreams, mode), None) for mode in IN_PROCESS}
    return Comparison(query, answers, serves | over_sockets(sandbox, remote, OVER_SOCKETS))


def far_away(
    sandbox: Sandbox, upstreams: Upstreams, remote: Remote, query: Query, answers: Sequence[bytes]
) -> Comparison:
    """A plan whose upstreams take their time, in process and over sockets."""
    serves = {BARE: (serving(bare, answers[0]), None)}
    serves |= {"plans, cold": (serving(bench_app, sandbox, upstreams, "plans, cold"), None)}
    return Comparison(query, answers, serves | over_sockets(sandbox, remote, ("plans, cold",)))


def over_sockets(sandbox: Sandbox, remote: Remote, modes: tuple[str, ...]) -> dict[str, tuple[Serve, Remote | None]]:
    """Some modes of the gateway with its own way to the network, by their names there."""
    url = remote.server.url
    return {f"{mode}, sockets": (serving(_network_app, sandbox, url, mode), remote) for mode in modes}


def _network_app(sandbox: Sandbox, url: str, mode: str) -> App:
    return create_app(bench_settings(sandbox, url, **MODES[mode]))


def _take_turns(measured: Mapping[str, _Measured], seconds: float) -> None:
    """Measure all in rounds; one whose last answers came so late that it has had its time already sits a round out."""
    count, length = split(seconds)
    for number in range(count):
        beside = measured[BARE].round(length)
        for name, one in measured.items():
            if name != BARE and one.spent <= (number + 0.5) * length:
                one.round(length, beside)
