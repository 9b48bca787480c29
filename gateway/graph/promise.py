"""Values that may still be on their way."""

from asyncio import Future
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Generic, Never, ParamSpec, TypeVar

import msgspec

from gateway.errors import GatewayError

P = ParamSpec("P")
T = TypeVar("T")


class Promise(msgspec.Struct, Generic[T], frozen=True, eq=False):
    """A value that comes whether or not anybody waits for it: a future, and what makes the value of its result.

    So several can be waited for one after the other, and take no longer than the slowest.
    """

    future: Future[Any]
    read: Callable[[Any], T]

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the value."""
        return self.read((yield from self.future))


def promised(awaitable: Awaitable[T]) -> T:
    """Hand an awaitable to whoever executes the query in place of its value, which it waits for.

    So a resolver whose document is at hand answers at once, and no task is made for it.
    """
    return awaitable  # type: ignore[return-value] # see above


def or_failure(load: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Load an item of a list, with its failure in its own place where it fails at once."""
    try:
        return load(*args, **kwargs)
    except GatewayError as error:
        return promised(_fail(error))


async def _fail(error: GatewayError) -> Never:
    raise error
