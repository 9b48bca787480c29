"""The memory tier: never over its bound, and the least recently used goes first."""

from asyncio import run
from sys import getsizeof

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gateway.cache.document import Document
from gateway.cache.memory import BoundedMemoryCache

BOUND = 20_000
KEYS = st.sampled_from([f"key-{number}" for number in range(30)])


def document(size: int) -> Document:
    return Document("asset", "id", b"x" * size, 0.0, 1.0, 1.0)


class CacheMachine(RuleBasedStateMachine):
    """Does anything to a cache, beside a model that keeps every document in order of use."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = BoundedMemoryCache(BOUND)
        self.model: dict[str, Document] = {}

    @rule(key=KEYS, size=st.integers(min_value=0, max_value=BOUND + 100))
    def keep(self, key: str, size: int) -> None:
        new = document(size)
        run(self.cache.set(key, new))
        self.model.pop(key, None)
        if self.cache.weigh(key, new) <= BOUND:
            self.model[key] = new
        while sum(self.cache.weigh(key, kept) for key, kept in self.model.items()) > BOUND:
            del self.model[next(iter(self.model))]

    @rule(key=KEYS)
    def read(self, key: str) -> None:
        assert run(self.cache.get(key)) == self.model.get(key)
        if key in self.model:
            self.model[key] = self.model.pop(key)

    @rule(key=KEYS)
    def drop(self, key: str) -> None:
        assert run(self.cache.delete(key)) == (1 if self.model.pop(key, None) else 0)

    @rule()
    def clear(self) -> None:
        run(self.cache.clear())
        self.model.clear()

    @invariant()
    def weighs_what_it_holds_and_never_more_than_its_bound(self) -> None:
        assert len(self.cache) == len(self.model)
        assert self.cache.used_bytes == sum(self.cache.weigh(key, kept) for key, kept in self.model.items())
        assert self.cache.used_bytes <= BOUND


@pytest.mark.uncovered
def test_whatever_is_done_to_it_the_cache_stays_within_its_bound_and_drops_the_least_recently_used() -> None:
    run_state_machine_as_test(CacheMachine, settings=settings(max_examples=100, stateful_step_count=40, deadline=None))


async def test_a_document_larger_than_the_bound_is_not_kept_and_costs_no_other() -> None:
    cache = BoundedMemoryCache(BoundedMemoryCache.weigh("small", document(10)))
    await cache.set("small", document(10))
    await cache.set("large", document(1_000))
    assert await cache.exists("small")
    assert not await cache.exists("large")


@pytest.mark.parametrize("letter", ["a", "é", "字", "😀"])
def test_a_key_weighs_at_least_what_it_takes(letter: str) -> None:
    cache, key = BoundedMemoryCache(BOUND), letter * 1_000
    assert cache.weigh(key, document(0)) - cache.weigh("", document(0)) >= getsizeof(key) - getsizeof(letter)
