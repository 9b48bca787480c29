"""What the ending of each request says of its upstream, and whether another is let through after it."""

import asyncio

import pytest

from gateway.deadline import Deadline, hand_down
from gateway.errors import UpstreamRateLimited, UpstreamTimeout, UpstreamUnavailable
from gateway.upstream.failures import Failures
from gateway.upstream.health import Health
from gateway.upstream.policy import Policy
from gateway.upstream.sender import Sender
from tests.world import Clock

TIMEOUT = 10.0


def sender() -> Sender:
    """One that sends one request at a time, and after two failures single ones, at once."""
    policy = Policy(
        retries=3,
        retry_share=0.24,
        hedges=False,
        slow_from=0.25,
        breaker_calls=2,
        breaker_share=0.8,
        breaker_rest=0.0,
        in_flight=1,
    )
    return Sender(Failures("prism", "Prism", TIMEOUT, (), Clock()), policy, Health())


async def answered() -> str:
    return "an answer"


async def fails() -> str:
    raise UpstreamUnavailable("down", upstream="prism", status=503)


async def hangs() -> str:
    await asyncio.Event().wait()
    return "never"


async def tick() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def left_alone_while_busy(one: Sender) -> asyncio.Task[str]:
    """Let it be left alone while a request from before is still under way, and give that."""
    gate = asyncio.Event()

    async def fails_at_last() -> str:
        await gate.wait()
        return await fails()

    with pytest.raises(UpstreamUnavailable):
        await one.read(fails)
    failing = asyncio.ensure_future(one.read(fails_at_last))
    await tick()
    under_way = asyncio.ensure_future(one.read(hangs))
    await tick()
    gate.set()
    with pytest.raises(UpstreamUnavailable):
        await failing
    await tick()
    assert (one.health.breaker, one.health.in_flight, one.health.waiting) == ("open", 1, 0)
    return under_way


async def is_found_back(one: Sender) -> bool:
    for _ in range(2):
        assert await one.read(answered) == "an answer"
    return (one.health.breaker, one.health.in_flight, one.health.waiting) == ("closed", 0, 0)


async def end(task: asyncio.Task[str]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def test_who_was_to_find_out_and_left_before_their_turn_lets_another_find_out() -> None:
    one = sender()
    under_way = await left_alone_while_busy(one)
    probe = asyncio.ensure_future(one.read(answered))
    await tick()
    assert (one.health.breaker, one.health.waiting) == ("half-open", 1)
    await end(probe)
    await end(under_way)
    assert await is_found_back(one)


async def test_who_was_to_find_out_and_would_have_had_no_turn_in_time_lets_another_find_out() -> None:
    one = sender()
    under_way = await left_alone_while_busy(one)

    async def in_haste() -> str:
        hand_down(Deadline(asyncio.get_running_loop().time() - 1))
        return await one.read(answered)

    with pytest.raises(UpstreamUnavailable, match="asked more than it can answer"):
        await asyncio.create_task(in_haste())
    assert (one.health.breaker, one.health.shed) == ("half-open", 1)
    await end(under_way)
    assert await is_found_back(one)


async def test_a_call_that_the_gateway_itself_did_not_make_finds_nothing_out() -> None:
    async def held_back() -> str:
        raise UpstreamRateLimited("Prism takes no more calls for now.", upstream="prism")

    one = sender()
    await end(await left_alone_while_busy(one))
    for _ in range(3):
        with pytest.raises(UpstreamRateLimited):
            await one.read(held_back)
    assert one.health.breaker == "half-open"
    assert await is_found_back(one)


@pytest.mark.parametrize(("patience", "failures"), [(60.0, 0), (0.05, 1)], ids=["hangs up", "waits in vain"])
async def test_a_silent_upstream_is_told_from_a_client_who_hangs_up(patience: float, failures: int) -> None:
    one = sender()
    assert await one.read(answered) == "an answer"

    async def ask() -> str:
        hand_down(Deadline(asyncio.get_running_loop().time() + patience))
        return await one.read(hangs)

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0.06)
    await end(asking)
    assert (one.health.failures, one.health.in_flight) == (failures, 0)


async def test_a_read_without_a_deadline_waits_no_longer_for_its_next_trial_than_one_may_take() -> None:
    made = []

    async def fails_for_long() -> str:
        made.append(1)
        raise UpstreamUnavailable("down", upstream="prism", status=503, retry_after=TIMEOUT, is_transient=True)

    with pytest.raises(UpstreamUnavailable):
        await asyncio.wait_for(sender().read(fails_for_long), 5)
    assert len(made) == 1


async def test_a_read_whose_failure_makes_its_upstream_be_left_alone_is_not_tried_again_and_gives_that_failure() -> (
    None
):
    one, made = sender(), []

    async def fails_again() -> str:
        made.append(1)
        raise UpstreamUnavailable("down", upstream="prism", status=503, is_transient=True)

    with pytest.raises(UpstreamUnavailable, match="down"):
        await one.read(fails_again)
    assert (len(made), one.health.retries, one.health.breaker) == (2, 1, "open")


async def test_a_read_is_not_tried_again_where_it_would_have_less_time_than_is_usual() -> None:
    one, made = sender(), []

    async def takes_a_while() -> str:
        await asyncio.sleep(0.2)
        return "an answer"

    async def fails_at_once() -> str:
        made.append(1)
        raise UpstreamUnavailable("down", upstream="prism", status=503, is_transient=True)

    async def in_haste() -> str:
        hand_down(Deadline(asyncio.get_running_loop().time() + 0.15))
        return await one.read(fails_at_once)

    assert await one.read(takes_a_while) == "an answer"
    with pytest.raises(UpstreamUnavailable):
        await asyncio.create_task(in_haste())
    assert (len(made), one.health.retries, one.health.unaffordable) == (1, 0, 0)


async def test_a_change_that_is_late_is_broken_off_and_makes_room_for_another() -> None:
    one = sender()

    async def in_haste() -> str:
        hand_down(Deadline(asyncio.get_running_loop().time() + 0.05))
        return await one.change(hangs)

    with pytest.raises(UpstreamTimeout) as late:
        await asyncio.create_task(in_haste())
    assert late.value.message.endswith("Whether the change was made is unknown.")
    await tick()
    assert one.health.in_flight == 0
    assert await one.change(answered) == "an answer"
