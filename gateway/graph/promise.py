"""Values that may still be on their way."""

from collections.abc import Awaitable, Callable
from typing import Never, ParamSpec, TypeVar, cast

from gateway.errors import GatewayError

P = ParamSpec("P")
T = TypeVar("T")


def promised(awaitable: Awaitable[T]) -> T:
    """Hand an awaitable to whoever executes the query in place of its value, which it waits for.

    So a resolver whose document is at hand answers at once, and no task is made for it.
    """
    return cast("T", awaitable)


def or_failure(load: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Load an item of a list, with its failure in its own place where it fails at once."""
    try:
        return load(*args, **kwargs)
    except GatewayError as error:
        return promised(_fail(error))


async def _fail(error: GatewayError) -> Never:
    raise error
