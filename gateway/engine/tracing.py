"""Which field asked for which document: told to the journal of a request that wants to know.

Such a request is executed by graphql-core, whose middleware stands around every resolver; a plan has no such place.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from graphql import GraphQLResolveInfo, MiddlewareManager
from graphql.pyutils import Path

from gateway.engine.plan import is_awaitable
from gateway.graph.journal import now_at


def traced(resolve: Callable[..., Any], source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    """Note where the field stands while it is resolved."""
    now_at.set(info.path)
    return _at(info.path, resolve(source, info, **arguments))


def _at(path: Path, value: Any) -> Any:
    """Let a value that is on its way, or those in a list, be loaded at its path."""
    if is_awaitable(value):
        return _awaited_at(path, value)
    if isinstance(value, list):
        return [_at(path.add_key(place, None), item) for place, item in enumerate(value)]
    return value


async def _awaited_at(path: Path, value: Awaitable[Any]) -> Any:
    now_at.set(path)
    return _at(path, await value)


TRACING = MiddlewareManager(traced)
