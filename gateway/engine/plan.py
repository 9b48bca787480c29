"""A compiled operation at work: calls resolvers, waits for them, and puts the answer's tree together.

A tree is made at once, with a hole for each value that is on its way; what arrives fills its hole there and then. So
resolvers run beside each other however deep they stand, and none but a coroutine takes a task.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeGuard

import msgspec
from graphql import FieldNode, GraphQLError
from graphql.execution.values import VariableValues
from graphql.pyutils import Path

from gateway.cache.flight import Waiting
from gateway.engine.leaves import LeavePlan
from gateway.engine.projection import Projection
from gateway.errors import GatewayError
from gateway.graph.members import PageMembers
from gateway.graph.promise import Promise

Call = Callable[[Any, "Run", Path], Any]
Complete = Callable[[Any, "Run", Path], Any]
Read = Callable[[Any], Any]  # gives the value of what arrived, or raises what came instead
Arrived = Callable[[Read, asyncio.Future[Any]], None]

# The same as a named tuple's own way to be made, which is in Python and takes ten times as long.
path_of: Callable[[tuple[Path | None, str, str]], Path] = partial(tuple.__new__, Path)


def is_awaitable(value: Any) -> TypeGuard[Awaitable[Any]]:
    """Whether a value must be waited for."""
    return are_awaitable(value.__class__)


@cache
def are_awaitable(cls: type) -> bool:
    """Whether values of a class must be waited for."""
    return hasattr(cls, "__await__")  # which makes an exception of each class that lacks it


class Run(msgspec.Struct):
    """One execution of a plan: its errors, and what it still waits for."""

    context: Any
    variable_values: VariableValues
    errors: list[GraphQLError] = []
    _failure: Exception | None = None
    _missing: int = 0
    _futures: list[asyncio.Future[Any]] = []
    _end: asyncio.Future[None] | None = None

    def later(self, awaitable: Any, arrived: Arrived) -> None:
        """Call `arrived` once what must be waited for is there, with how it is read."""
        if awaitable.__class__ is Promise:
            future, read = awaitable.future, awaitable.read
        else:
            future, read = asyncio.ensure_future(awaitable), _itself
        self._missing += 1
        self._futures.append(future)
        future.add_done_callback(partial(self._take, arrived, read))

    def _take(self, arrived: Arrived, read: Read, future: asyncio.Future[Any]) -> None:
        try:
            if self._failure is None:
                arrived(read, future)
            elif not future.cancelled():
                future.exception()  # so that it counts as seen
        except asyncio.CancelledError:
            self.leave(LeavePlan())
        except Exception as failure:  # noqa: BLE001 - raised by `end`, when all the others have ended too
            self.leave(failure)
        self._missing -= 1
        if self._end is not None and not self._missing and not self._end.done():
            self._end.set_result(None)

    def leave(self, failure: Exception) -> None:
        """Go no further. What is not asked for yet is left to who goes on, and asks for it with the rest at once."""
        self._failure = failure
        for future in self._futures:
            if future.__class__ is Waiting and future.is_wanted:
                future.cancel()

    async def end(self) -> None:
        """Wait for everything. A failure is raised when the others have ended, so that their documents are not lost."""
        if self._missing:
            self._end = self._futures[0].get_loop().create_future()
            try:
                await self._end
            except asyncio.CancelledError:
                self._failure = LeavePlan()  # so that what has just arrived begins nothing that nobody waits for
                for future in self._futures:
                    future.cancel()
                raise
        if self._failure is not None:
            raise self._failure

    @property
    def is_waiting(self) -> bool:
        """Whether anything is still on its way, or failed."""
        return self._missing > 0 or self._failure is not None


def _itself(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """A field that a resolver answers: how it is called, and how what it returns is completed, null aside.

    An upstream's failure is null with an error where the field may be null; anything else that is raised ends the plan.
    """

    key: str
    parent: str
    nodes: Sequence[FieldNode]
    may_be_null: bool
    call: Call
    complete: Complete

    def fill(self, tree: dict[str, Any], source: Any, run: Run, path: Path | None) -> None:
        """Put the field's value in the place of null in its object's tree, now or when it arrives."""
        here = path_of((path, self.key, self.parent))
        try:
            result = self.call(source, run, here)
            if are_awaitable(result.__class__):
                run.later(result, partial(self._arrived, tree, run, here))
            elif result is not None or not self.may_be_null:
                tree[self.key] = self.complete(result, run, here)
        except GatewayError as error:
            failed(error, run, self.nodes, here, may_be_null=self.may_be_null)

    def _arrived(self, tree: dict[str, Any], run: Run, here: Path, read: Read, future: asyncio.Future[Any]) -> None:
        try:
            result = read(future.result())
            if result is not None or not self.may_be_null:
                tree[self.key] = self.complete(result, run, here)
        except GatewayError as error:
            failed(error, run, self.nodes, here, may_be_null=self.may_be_null)


def failed(error: GatewayError, run: Run, nodes: Sequence[FieldNode], here: Path, *, may_be_null: bool) -> None:
    """Note an error where null may stand. Raises LeavePlan where it may not: graphql-core knows how far null goes."""
    if not may_be_null:
        raise LeavePlan
    run.errors.append(GraphQLError(error.message, nodes, path=here.as_list(), original_error=error))


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """A selection on one object type: its plain values, made at once, and its resolvers.

    `keys` are the response keys in order; `plain` gives the values that need no resolver.
    """

    origin: type | None
    keys: Sequence[str]
    plain: Callable[[Any], Mapping[str, Any]] | None
    fields: Sequence[FieldPlan]

    def __call__(self, source: Any, run: Run, path: Path | None) -> dict[str, Any]:
        """The object's tree, null where a value is to come. Raises LeavePlan for a source of another class."""
        if source.__class__ is not self.origin and self.origin is not None:
            raise LeavePlan
        tree: dict[str, Any] = dict.fromkeys(self.keys)
        if self.plain is not None:
            tree.update(self.plain(source))
        for its in self.fields:
            its.fill(tree, source, run, path)
        return tree


def document_value(projection: Projection) -> Complete:
    """Complete a document that no resolver is selected of: its projection, encoded."""
    origin = projection.type

    def complete(value: Any, _run: Run, _path: Path) -> Any:
        if value.__class__ is not origin:
            raise LeavePlan
        return projection.encoded_value(value)

    return complete


@dataclass(frozen=True, slots=True)
class ListPlan:
    """A list of objects; an item that is an awaitable fails by itself."""

    item: Complete
    nodes: Sequence[FieldNode]
    item_may_be_null: bool
    projection: Projection | None

    def __call__(self, value: Any, run: Run, path: Path) -> Any:
        """The list's trees, null where one is to come. Raises LeavePlan for anything but a list."""
        if value.__class__ is PageMembers:
            if self.projection is not None and value.type is self.projection.type:
                return self.projection.encoded_members(value)
            value = list(value)
        if value.__class__ is not list:
            raise LeavePlan
        items: list[Any] = [None] * len(value)
        at_hand = []
        for place, one in enumerate(value):  # all that must be waited for first, since another may leave the plan
            if are_awaitable(one.__class__):
                run.later(one, partial(self._arrived, items, run, path.add_key(place, None)))
            else:
                at_hand.append(place)
        for place in at_hand:
            items[place] = self._complete(value[place], run, path.add_key(place, None))
        return items

    def _complete(self, one: Any, run: Run, here: Path) -> Any:
        if one is not None:
            return self.item(one, run, here)
        if not self.item_may_be_null:
            raise LeavePlan
        return None

    def _arrived(self, items: list[Any], run: Run, here: Path, read: Read, future: asyncio.Future[Any]) -> None:
        try:
            items[int(here.key)] = self._complete(read(future.result()), run, here)
        except GatewayError as error:
            failed(error, run, self.nodes, here, may_be_null=self.item_may_be_null)
