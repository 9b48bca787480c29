"""A compiled operation at work: calls resolvers, waits for them, and puts the answer's tree together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from graphql import FieldNode, GraphQLError
from graphql.execution.values import VariableValues
from graphql.pyutils import Path

from gateway.engine.leaves import LeavePlan
from gateway.engine.projection import Projection, document_of
from gateway.errors import GatewayError
from gateway.graph.members import Members

Call = Callable[[Any, "Run", Path], Any]
Complete = Callable[[Any, "Run", Path], Any]


def is_awaitable(value: Any) -> TypeGuard[Awaitable[Any]]:
    """Whether a value must be waited for."""
    return hasattr(value.__class__, "__await__")


@dataclass(slots=True)
class Run:
    """One execution of a plan."""

    context: Any
    variable_values: VariableValues
    errors: list[GraphQLError] = field(default_factory=list)
    opened: list[Any] = field(default_factory=list)

    def awaiting(self, awaitable: Any) -> Any:
        """Note an awaitable, so that a plan that is left leaves none behind that nobody awaited."""
        self.opened.append(awaitable)
        return awaitable

    def abandon(self) -> None:
        """Close what was not begun; closing what has ended does nothing."""
        for awaitable in self.opened:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """A field that a resolver answers: how it is called, and how what it returns is completed.

    An upstream's failure is null with an error where the field may be null; anything else that is raised ends the plan.
    """

    key: str
    parent: str
    nodes: Sequence[FieldNode]
    may_be_null: bool
    call: Call
    complete: Complete

    def value(self, source: Any, run: Run, path: Path | None) -> Any:
        """The field's value, or an awaitable of it."""
        here = Path(path, self.key, self.parent)
        try:
            result = self.call(source, run, here)
            if is_awaitable(result):
                return run.awaiting(self._later(run.awaiting(result), run, here))
            return self.complete(result, run, here)
        except GatewayError as error:
            return failed(error, run, self.nodes, here, may_be_null=self.may_be_null)

    async def _later(self, result: Awaitable[Any], run: Run, here: Path) -> Any:
        try:
            value = self.complete(await result, run, here)
            return await value if is_awaitable(value) else value
        except GatewayError as error:
            return failed(error, run, self.nodes, here, may_be_null=self.may_be_null)


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

    def __call__(self, source: Any, run: Run, path: Path | None) -> Any:
        """The object's tree, or an awaitable of it. Raises LeavePlan for a source of another class."""
        if source.__class__ is not self.origin and self.origin is not None:
            raise LeavePlan
        tree: dict[str, Any] = dict.fromkeys(self.keys)
        if self.plain is not None:
            tree.update(self.plain(source))
        waiting: dict[str, Awaitable[Any]] = {}
        for its in self.fields:
            value = its.value(source, run, path)
            if is_awaitable(value):
                waiting[its.key] = value
            else:
                tree[its.key] = value
        return run.awaiting(_finish(tree, waiting)) if waiting else tree


async def _finish(tree: dict[str, Any], waiting: Mapping[str, Awaitable[Any]]) -> dict[str, Any]:
    tree.update(zip(waiting, await together(list(waiting.values())), strict=True))
    return tree


async def together(waiting: Sequence[Awaitable[Any]]) -> list[Any]:
    """Wait for all beside each other. One that fails lets the others end, so that their documents are not lost."""
    if len(waiting) == 1:
        return [await waiting[0]]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def document_value(projection: Projection) -> Complete:
    """Complete a document that no resolver is selected of: its projection, encoded."""
    origin = projection.type

    def complete(value: Any, _run: Run, _path: Path) -> Any:
        if value.__class__ is not origin:
            raise LeavePlan
        return projection.encoded(document_of(value))

    return complete


@dataclass(frozen=True, slots=True)
class ListPlan:
    """A list of objects; an item that is an awaitable fails by itself."""

    item: Complete
    nodes: Sequence[FieldNode]
    item_may_be_null: bool
    projection: Projection | None = None

    def __call__(self, value: Any, run: Run, path: Path) -> Any:
        """The list's trees, or an awaitable of them. Raises LeavePlan for anything but a list."""
        if value.__class__ is Members:
            if self.projection is not None and value.type is self.projection.type:
                return self.projection.encoded_members(value)
            value = list(value)
        if value.__class__ is not list:
            raise LeavePlan
        for one in value:  # all of them, since one in their midst may leave the plan
            if is_awaitable(one):
                run.awaiting(one)
        items = [self._item(one, run, path, place) for place, one in enumerate(value)]
        places = [place for place, item in enumerate(items) if is_awaitable(item)]
        return run.awaiting(_list_later(items, places)) if places else items

    def _item(self, one: Any, run: Run, path: Path, place: int) -> Any:
        here = path.add_key(place, None)
        if is_awaitable(one):
            return run.awaiting(self._later(one, run, here))
        return self._complete(one, run, here)

    def _complete(self, one: Any, run: Run, here: Path) -> Any:
        if one is not None:
            return self.item(one, run, here)
        if not self.item_may_be_null:
            raise LeavePlan
        return None

    async def _later(self, one: Awaitable[Any], run: Run, here: Path) -> Any:
        try:
            value = self._complete(await one, run, here)
            return await value if is_awaitable(value) else value
        except GatewayError as error:
            return failed(error, run, self.nodes, here, may_be_null=self.item_may_be_null)


async def _list_later(items: list[Any], places: Sequence[int]) -> list[Any]:
    for place, value in zip(places, await together([items[place] for place in places]), strict=True):
        items[place] = value
    return items
