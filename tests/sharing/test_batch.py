"""Questions are put together, and are not too many for one step."""

import asyncio
from collections.abc import Sequence

from gateway.cache.batch import LARGEST, Batch


async def test_questions_of_one_moment_are_one_step_and_thousands_are_several_a_few_at_once() -> None:
    sizes: list[int] = []
    under_way: list[int] = []

    async def double(numbers: Sequence[int]) -> Sequence[int]:
        sizes.append(len(numbers))
        under_way.append(1)
        assert len(under_way) <= 2
        await asyncio.sleep(0)
        under_way.pop()
        return [2 * number for number in numbers]

    batch: Batch[int, int] = Batch(double, 2)
    assert await asyncio.gather(*(batch.put(number) for number in range(LARGEST))) == list(range(0, 2 * LARGEST, 2))
    assert sizes == [LARGEST]
    many = range(10 * LARGEST + 1)
    assert await asyncio.gather(*map(batch.put, many)) == [2 * number for number in many]
    assert sizes == [*[LARGEST] * 11, 1]
