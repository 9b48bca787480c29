"""A subscription's way to answers: its source is opened by graphql-core, and each event becomes one answer."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from graphql import ExecutionResult, Executor, GraphQLError, create_source_event_stream
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway.engine.operation import PreparedOperation
from gateway.engine.plan import is_awaitable
from gateway.errors import ShuttingDown

_NONE = object()


async def open_source(
    operation: PreparedOperation, variables: Mapping[str, Any], context: Any
) -> AsyncIterator[Any] | Sequence[GraphQLError]:
    """Call the resolver of the subscription's field: its events, or the errors that refuse it. Raises ShuttingDown."""
    executor = StrawberryGraphQLCoreExecutionContext.build(
        operation.schema,
        operation.document,
        context_value=context,
        raw_variable_values=dict(variables),
        operation_name=operation.name,
        is_awaitable=is_awaitable,
    )
    if not isinstance(executor, Executor):
        return executor
    source: Any = create_source_event_stream(executor)
    if is_awaitable(source):
        source = await source
    if not isinstance(source, ExecutionResult):
        events: AsyncIterator[Any] = aiter(source)
        return events
    errors = source.errors or []
    for error in errors:
        if isinstance(error.original_error, ShuttingDown):
            raise error.original_error
    return errors


@dataclass(slots=True, weakref_slot=True)
class Shared:
    """The answer to the last event, for all who subscribe to the same; each event is an object of its own."""

    _event: Any = _NONE
    _answer: bytes = b""

    def find(self, event: Any) -> bytes | None:
        """Give the answer to an event, where it is this one that was answered last."""
        return self._answer if event is self._event else None

    def keep(self, event: Any, answer: bytes) -> None:
        """Keep the answer to an event in the place of the one before."""
        self._event, self._answer = event, answer


class AnswerStream(AsyncIterator[bytes]):
    """The answers to a subscription, one an event, in JSON; the source's end is theirs.

    An error that ends the source is an event as well, whose field raises it: so the last answer has it where
    graphql-core puts it. ShuttingDown alone is raised, by whoever waits. A cancelled wait loses no event, and `aclose`,
    which ends a wait under way too, must be called by whoever does not read to the end.
    """

    def __init__(self, source: AsyncIterator[Any], answer: Callable[[Any], Awaitable[bytes]]) -> None:
        self._source = source
        self._answer = answer
        self._event: Any = _NONE
        self._ended = False

    def __aiter__(self) -> Self:
        """Give itself."""
        return self

    async def __anext__(self) -> bytes:
        """Wait for the next event and answer it."""
        if self._event is _NONE:
            self._event = await self._next_event()
        answer = await self._answer(self._event)
        self._event = _NONE
        return answer

    async def _next_event(self) -> Any:
        if self._ended:
            raise StopAsyncIteration
        try:
            return await anext(self._source)
        except (StopAsyncIteration, ShuttingDown):
            await self.aclose()
            raise
        except Exception as error:  # noqa: BLE001 - the engine's answer names it, or masks and logs it
            await self.aclose()
            return error

    async def aclose(self) -> None:
        """End the source; a second time does nothing."""
        if self._ended:
            return
        self._ended = True
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()
