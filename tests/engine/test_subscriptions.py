"""A subscription's stream of answers: what refuses it, what ends it, and what each event is answered by."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import strawberry

from gateway.engine.answer import Asked, StreamsOnly
from gateway.engine.engine import Engine
from gateway.engine.operations import Operations
from gateway.engine.subscriptions import AnswerStream
from gateway.errors import BadUserInput, GatewayError, LimitExceeded, ShuttingDown, UpstreamNotFound
from gateway.graph.journal import Journal
from tests.world import settle

FAILURES: dict[str, Exception] = {
    "gone": UpstreamNotFound("It is gone.", upstream="prism", status=404),
    "bug": KeyError("secret"),
    "down": ShuttingDown(),
}


@dataclass
class Context:
    """What resolvers reach, numbered in the order made."""

    journal: Journal
    number: int


Info = strawberry.Info[Context, None]


@strawberry.type
class Tick:
    n: int

    @strawberry.field
    def context(self, info: Info) -> int:
        return info.context.number

    @strawberry.field
    def half(self) -> float | None:
        if self.n % 2:
            raise BadUserInput("An odd number has no half.")
        return self.n / 2


@strawberry.type
class Query:
    one: int = 1


closed: list[str] = []


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, info: Info, to: int = 2, ends: str = "") -> AsyncIterator[Tick]:
        if ends == "at once":
            raise LimitExceeded("No more ticks.")
        if ends == "down at once":
            raise ShuttingDown
        del info

        async def tick() -> AsyncIterator[Tick]:
            try:
                for n in range(to):
                    await asyncio.sleep(0)
                    yield Tick(n=n)
                if ends:
                    raise FAILURES[ends]
            finally:
                closed.append(ends)

        return tick()


GRAPH = strawberry.Schema(Query, subscription=Subscription)._schema  # noqa: SLF001 - graphql-core's own
SUBSCRIBE = 'subscription Ticks($to: Int! = 2, $ends: String! = "") { t: ticks(to: $to, ends: $ends) { n } }'


def make_contexts() -> Callable[[], Context]:
    """Contexts numbered from 0."""
    made: list[Context] = []

    def make() -> Context:
        made.append(Context(Journal("r", Counter(), lambda: 0.0), len(made)))
        return made[-1]

    return make


@pytest.fixture(params=[True, False], ids=["plans", "graphql-core"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """An engine of the graph above, with and without plans."""
    closed.clear()
    return Engine(GRAPH, Operations(GRAPH), request.param)


async def stream_of(engine: Engine, text: str = SUBSCRIBE, **variables: Any) -> AnswerStream:
    stream = await engine.subscribe(text, variables, None, make_contexts())
    assert isinstance(stream, AnswerStream)
    return stream


async def answers(engine: Engine, text: str = SUBSCRIBE, **variables: Any) -> list[Any]:
    return [json.loads(answer) async for answer in await stream_of(engine, text, **variables)]


async def refusal(engine: Engine, text: str, name: str | None = None, **variables: Any) -> Any:
    """The only error of what is refused, without its place."""
    refused = await engine.subscribe(text, variables, name, make_contexts())
    assert isinstance(refused, bytes)
    answer = json.loads(refused)
    (error,) = answer["errors"]
    error.pop("locations", None)
    error["extensions"].pop("requestId")
    return error


async def test_each_event_is_one_answer_and_the_sources_end_is_the_streams(engine: Engine) -> None:
    assert await answers(engine, to=3) == [{"data": {"t": {"n": n}}} for n in range(3)]
    assert closed == [""]
    assert sum(engine.counts.values()) == engine.counts["planned"] == (3 if engine.uses_plans else 0)


async def test_each_event_has_a_context_of_its_own(engine: Engine) -> None:
    seen = await answers(engine, "subscription { ticks(to: 3) { context } }")
    assert [answer["data"]["ticks"]["context"] for answer in seen] == [1, 2, 3]


async def test_a_field_that_fails_costs_its_own_event_that_field(engine: Engine) -> None:
    first, second = await answers(engine, "subscription { ticks { half } }")
    assert first == {"data": {"ticks": {"half": 0.0}}}
    assert second["data"] == {"ticks": {"half": None}}
    assert [error["path"] for error in second["errors"]] == [["ticks", "half"]]


async def test_an_error_that_ends_the_source_is_the_last_answer_with_its_code_at_the_field(engine: Engine) -> None:
    first, last = await answers(engine, to=1, ends="gone")
    assert first == {"data": {"t": {"n": 0}}}
    error = {
        "message": "It is gone.",
        "locations": [{"line": 1, "column": 58}],
        "path": ["t"],
        "extensions": {
            "code": "NOT_FOUND", "upstream": "prism", "retryable": False, "upstreamStatus": 404, "requestId": "r",
        },
    }  # fmt: skip
    assert last == {"data": None, "errors": [error]}
    assert closed == ["gone"]


async def test_a_bug_that_ends_the_source_is_masked_and_logged(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    *_, last = await answers(engine, ends="bug")
    assert last["errors"][0]["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "r"}
    assert "secret" not in json.dumps(last)
    (line,) = caplog.messages
    assert "KeyError in tick" in line


async def test_a_shutdown_is_raised_so_that_no_client_takes_it_for_the_end(engine: Engine) -> None:
    stream = await stream_of(engine, to=1, ends="down")
    assert json.loads(await anext(stream)) == {"data": {"t": {"n": 0}}}
    with pytest.raises(ShuttingDown):
        await anext(stream)
    assert closed == ["down"]
    with pytest.raises(ShuttingDown):
        await engine.subscribe(SUBSCRIBE, {"ends": "down at once"}, None, make_contexts())


async def test_what_refuses_a_subscription_is_one_answer(engine: Engine) -> None:
    assert (await refusal(engine, "subscription {"))["extensions"] == {"code": "GRAPHQL_PARSE_FAILED"}
    assert (await refusal(engine, "subscription { a }"))["extensions"] == {"code": "GRAPHQL_VALIDATION_FAILED"}
    assert (await refusal(engine, SUBSCRIBE, to="x"))["extensions"] == {"code": "BAD_USER_INPUT"}
    assert await refusal(engine, SUBSCRIBE, name="Other") == {
        "message": 'Unknown operation named "Other".',
        "extensions": {"code": "BAD_REQUEST"},
    }
    assert await refusal(engine, SUBSCRIBE, ends="at once") == {
        "message": "No more ticks.",
        "path": ["t"],
        "extensions": {"code": "LIMIT_EXCEEDED", "retryable": True},
    }
    assert await refusal(engine, "{ one }") == {
        "message": "This is no subscription: it has one answer, and is sent like any other query or mutation.",
        "extensions": {"code": "BAD_REQUEST"},
    }
    assert closed == []


async def test_a_subscription_is_not_begun_where_one_answer_is_taken(engine: Engine) -> None:
    with pytest.raises(StreamsOnly):
        await engine.answer(Asked(SUBSCRIBE, reads_only=True), make_contexts())
    assert closed == []


async def test_a_subscription_is_known_before_anything_is_executed(engine: Engine) -> None:
    both = "query A { one } subscription B { ticks { n } }"
    assert [engine.is_subscription(both, name) for name in "AB"] == [False, True]
    assert [engine.is_subscription(text, None) for text in ("{", "{ a }")] == [False, False]


async def test_a_stream_that_is_closed_ends_its_source_whether_it_was_read_or_not(engine: Engine) -> None:
    stream = await stream_of(engine)
    await anext(stream)
    await stream.aclose()
    await stream.aclose()
    assert closed == [""]
    assert [answer async for answer in stream] == []


async def test_a_cancelled_wait_loses_no_event() -> None:
    gate = asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        for event in (b"0", b"1", b"2"):
            yield event

    async def answer(event: bytes) -> bytes:
        await gate.wait()
        return event

    stream = AnswerStream(events(), answer)
    reading = asyncio.ensure_future(anext(stream))
    await settle()
    reading.cancel()
    await asyncio.wait([reading])
    gate.set()
    assert [answer async for answer in stream] == [b"0", b"1", b"2"]


def test_what_passes_says_that_it_may_be_tried_again() -> None:
    passing: list[GatewayError] = [LimitExceeded("Full."), ShuttingDown()]
    assert [error.extensions["retryable"] for error in passing] == [True, True]
