"""The budget of a credential: learned from what the upstream answers, and spent on people before polls."""

import math
from time import process_time
from typing import Any

import pytest

from gateway.errors import UpstreamRateLimited
from gateway.sandbox import Fault
from gateway.upstream.channel import Answer
from gateway.upstream.quota import Quota, QuotaState, read_budget
from tests.test_subscriptions import moving
from tests.world import NOON, Clock, world

URLS = "query ($id: ID!) { scan(scanId: $id) { assetUrls { model } } }"
FOLLOW = "subscription ($id: ID!) { scanUpdated(scanId: $id) { status } }"


def answer(status: int = 200, /, **headers: str) -> Answer:
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, b"{}")


def quota(assumed: int = 0) -> tuple[Quota, Clock]:
    clock = Clock()
    return Quota("scenario", "Scenario", assumed, clock), clock


def admitted(budget: Quota, calls: int) -> int:
    """How many of so many calls may be made."""
    for number in range(calls):
        try:
            budget.admit()
        except UpstreamRateLimited:
            return number
    return calls


def refused_for(budget: Quota, *, is_poll: bool = False) -> float | None:
    """The seconds after which the refusal says to come again; None where a call may be made."""
    try:
        budget.give_way() if is_poll else budget.admit()
    except UpstreamRateLimited as error:
        return error.retry_after
    return None


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit_remaining": "3", "ratelimit_limit": "10", "ratelimit_reset": "20"},
        {"x_ratelimit_remaining": "3", "x_ratelimit_limit": "10", "x_ratelimit_reset": str(int(NOON) + 20)},
        {"x_rate_limit_remaining": "3", "x_rate_limit_limit": "10", "x_rate_limit_reset": f"{int(NOON) + 20}000"},
        {"ratelimit_remaining": "3, 99", "ratelimit_limit": "10, 10;w=60", "ratelimit_reset": "20"},
        {"ratelimit": "limit=10, remaining=3, reset=20"},
        {"ratelimit": '"default";r=3;t=20', "ratelimit_policy": '"default";q=10;w=60'},
    ],
    ids=str,
)
def test_what_an_answer_says_is_what_may_be_called(headers: dict[str, str]) -> None:
    budget, clock = quota()
    budget.learn(answer(**headers))
    assert refused_for(budget, is_poll=True) is None
    assert admitted(budget, 5) == 3
    assert (refused_for(budget), refused_for(budget, is_poll=True), budget.left) == (20, 20, 0)
    clock.advance(20)
    assert admitted(budget, 50) == 50


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ratelimit_limit": "10"},
        {"ratelimit_remaining": "many"},
        {"ratelimit_remaining": "-1"},
        {"ratelimit": "nothing of ours"},
        {"x_ratelimit_reset": "9" * 400},
    ],
    ids=str,
)
def test_what_says_nothing_of_it_changes_nothing(headers: dict[str, str]) -> None:
    budget, _ = quota()
    budget.learn(answer(**headers))
    assert admitted(budget, 500) == 500


POLICIES = '"default";q=100;w=60, "burst";q=10;w=2, "a, day";q=1000;w=86400'


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('"default";r=50;t=30, "burst";r=1;t=2', QuotaState(1, 10, NOON + 2)),
        ('"burst";r=1;t=2, "default";r=50;t=30', QuotaState(1, 10, NOON + 2)),
        ("burst;r=9;t=2,default;r=8;t=30", QuotaState(8, None, NOON + 30)),
        ('"burst";r=0;t=2, "default";r=0;t=30', QuotaState(0, 100, NOON + 30)),
        ('"burst";r=0;t=2, "default";r=0', QuotaState(0, 100, None)),
        ('"default";r=50;t=30, "a, day";r=7;t=70000', QuotaState(7, 1_000, NOON + 70_000)),
        ('"default";r=3;t=30, "r=1;t=1";w=9;t=7', QuotaState(3, 100, NOON + 30)),
        ('"\\"r=1, ";r=3;t=30, "burst";r=5;t=2', QuotaState(3, None, NOON + 30)),
        ('"burst";r=5;t=2, "torn;r=1', QuotaState(5, 10, NOON + 2)),
        ("limit=10, remaining=3, reset=20", QuotaState(3, 10, NOON + 20)),
        ('"default";t=30, "burst"', None),
    ],
)
def test_of_several_policies_the_one_that_binds_first_counts(said: str, told: QuotaState | None) -> None:
    assert read_budget({"ratelimit": said, "ratelimit-policy": POLICIES}, NOON) == told


def test_a_list_of_policies_without_end_takes_no_time() -> None:
    began = process_time()
    for said in ('"' + '\\"' * 30_000, '"a";r=1;t=1,' * 5_000, "," * 60_000, '"' * 60_000):
        read_budget({"ratelimit": said, "ratelimit-policy": said}, NOON)
    assert process_time() - began < 2


def test_calls_under_way_are_not_forgotten_for_an_answer_that_did_not_count_them() -> None:
    budget, clock = quota()
    budget.learn(answer(ratelimit_remaining="5", ratelimit_limit="10", ratelimit_reset="20"))
    assert admitted(budget, 4) == 4
    budget.learn(answer(ratelimit_remaining="4", ratelimit_limit="10", ratelimit_reset="20"))
    assert budget.left == 1
    clock.advance(15)
    budget.learn(answer(ratelimit_remaining="10", ratelimit_limit="10", ratelimit_reset="60"))  # a new window
    assert budget.left == 10


def test_polls_leave_a_quarter_of_what_an_earlier_answer_said_there_is_in_all() -> None:
    budget, _ = quota()
    budget.learn(answer(ratelimit_remaining="5", ratelimit_limit="10", ratelimit_reset="20"))
    assert refused_for(budget, is_poll=True) is None
    budget.learn(answer(ratelimit_remaining="2", ratelimit_reset="20"))
    assert (refused_for(budget, is_poll=True), admitted(budget, 5)) == (20, 2)


def test_a_429_closes_for_as_long_as_it_says_and_never_for_long() -> None:
    budget, clock = quota()
    budget.learn(answer(429, retry_after="7"))
    assert (refused_for(budget), refused_for(budget, is_poll=True)) == (7, 7)
    clock.advance(7)
    assert refused_for(budget) is None
    budget.learn(answer(429, retry_after="86400"))
    assert refused_for(budget) == 60


def test_a_clock_that_is_put_back_closes_nothing_for_longer() -> None:
    budget, clock = quota()
    budget.learn(answer(429, retry_after="7"))
    assert (refused_for(budget), budget.left) == (7, 0)
    clock.advance(-3_600)
    assert (refused_for(budget), refused_for(budget, is_poll=True), budget.left) == (None, None, math.inf)
    budget.learn(answer(ratelimit_remaining="0", ratelimit_limit="10", ratelimit_reset="20"))
    assert (refused_for(budget), refused_for(budget, is_poll=True), budget.left) == (20, 20, 0)
    clock.advance(-3_600)
    assert (refused_for(budget), refused_for(budget, is_poll=True), budget.left) == (None, None, math.inf)


def test_polls_wait_no_longer_where_the_clock_is_put_back() -> None:
    budget, clock = quota(100)
    assert admitted(budget, 80) == 80
    assert refused_for(budget, is_poll=True) is not None
    clock.advance(-3_600)
    assert refused_for(budget, is_poll=True) is None


def test_a_429_that_does_not_say_until_when_concerns_polls_alone() -> None:
    budget, clock = quota(100)
    budget.learn(answer(429))
    assert refused_for(budget) is None
    assert refused_for(budget, is_poll=True) is not None
    clock.advance(120)
    assert refused_for(budget, is_poll=True) is None


def test_what_is_only_assumed_holds_back_polls_and_leaves_people_to_the_upstream() -> None:
    budget, clock = quota(100)
    assert admitted(budget, 75) == 75
    assert refused_for(budget, is_poll=True) is None
    assert admitted(budget, 1) == 1
    wait = refused_for(budget, is_poll=True)
    assert wait is not None
    assert admitted(budget, 200) == 200
    clock.advance(120)
    assert refused_for(budget, is_poll=True) is None


def test_polls_leave_a_quarter_of_what_is_known_to_people() -> None:
    budget, _ = quota()
    budget.learn(answer(ratelimit_remaining="26", ratelimit_limit="100", ratelimit_reset="9"))
    assert [refused_for(budget, is_poll=True), admitted(budget, 2), refused_for(budget, is_poll=True)] == [None, 2, 9]
    assert admitted(budget, 100) == 24


async def test_a_person_is_told_what_the_upstream_said_without_another_call() -> None:
    async with world() as gateway:
        one, two = gateway.sandbox.prism.scan_ids("READY")[:2]
        gateway.sandbox.faults.add(Fault(upstream="prism", retry_after=30, times=1))
        await gateway.execute(URLS, id=one)
        assert len(gateway.calls) == 1
        refused: dict[str, Any] = await gateway.execute(URLS, id=two)
        assert refused == {
            "data": {"scan": {"assetUrls": None}},
            "errors": [
                {
                    "message": "Prism takes no more calls for now; the gateway did not make this one.",
                    "path": ["scan", "assetUrls"],
                    "extensions": {
                        "code": "UPSTREAM_RATE_LIMITED",
                        "upstream": "prism",
                        "retryable": True,
                        "retryAfter": 30,
                    },
                }
            ],
        }
        assert gateway.calls == []
        gateway.clock.advance(30)
        await gateway.data(URLS, id=two)


async def test_what_is_watched_is_not_looked_at_while_people_need_what_is_left() -> None:
    async with world({"prism_rate": 40, "gateway_watch_jitter": 0}) as gateway:
        scan_id = moving(gateway)
        stream = await gateway.subscribe(FOLLOW, id=scan_id)
        quota = gateway.gateway.tenants.of().sources.prism.upstream.quota
        while quota.left >= 10:
            quota.admit()
        gateway.calls.clear()
        await gateway.clock.run(10)
        assert gateway.calls == []
        await gateway.data(URLS, id=gateway.sandbox.prism.scan_ids("READY")[0])  # a person is not kept waiting
        await gateway.clock.run(110)
        assert ("GET", f"/scans/{scan_id}") in gateway.calls
        assert not isinstance(stream, bytes)
        await stream.aclose()
