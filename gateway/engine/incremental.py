"""Executes queries whose answers come in parts: by graphql-core, with the context and resolvers of any other.

What is deferred begins in the step that meets it, so loaders take it together with what is not: deferring calls no
upstream twice.
"""

import asyncio
from collections.abc import Mapping
from enum import Enum
from typing import Any

from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from graphql.execution.executor import StreamUsage
from graphql.execution.incremental import Computation, DeferUsageSet, ExecutionPlan, StreamItemQueue
from graphql.pyutils import Path, RefSet, SetMap

from gateway.engine.executor import Executor
from gateway.errors import BadUserInput


class Form(Enum):
    """How a part says where it belongs, by the name of the rules that a client reads it by."""

    BY_PATH = "20220824"
    """By path and label. A deferred fragment has all of its fields, whatever was answered before."""
    BY_ID = "v0.2"
    """By the id of what was announced as pending. A field comes once, with the first that selects it."""


class PartsExecutor(Executor):
    """Executes a query whose parts may come later; `end` ends whatever is under way.

    Each part has an executor of its own, a shallow copy; `starts`, the lengths of streamed lists in the first answer of
    them, and the queues of their items are everyone's.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.starts: dict[tuple[str | int, ...], int] = {}
        self._queues: list[StreamItemQueue] = []

    def prime_soon(self, computation: Computation[Any]) -> None:
        """Begin what is deferred now: a step later, loaders would have left without it."""
        self.prime_now(computation)

    def get_stream_usage(self, field_details_list: FieldDetailsList, path: Path) -> StreamUsage | None:
        """Say how a list is streamed. Raises BadUserInput, where graphql-core would blame the gateway."""
        try:
            return super().get_stream_usage(field_details_list, path)
        except ValueError as error:
            raise BadUserInput("`initialCount` of @stream takes 0 or more.") from error

    def handle_stream(self, index: int, path: Path, *rest: Any) -> bool:
        """Stream the items of a list from an index on."""
        self.starts[tuple(path.as_list())] = index
        return super().handle_stream(index, path, *rest)

    def build_stream_item_queue(self, *args: Any) -> StreamItemQueue:
        """Make the queue of a streamed list's items, which are read ahead: all, as they want things together."""
        queue = super().build_stream_item_queue(*args)
        queue._entries = asyncio.Queue()  # noqa: SLF001 - which would hold a hundred, and loaders leave with these alone
        self._queues.append(queue)
        return queue

    async def end(self) -> None:
        """End what is under way, of which parts that were not yet asked for leave some; after the last, nothing is."""
        await self.cancel_incremental_work()
        ends = [end for queue in self._queues if (end := queue.abort()) is not None]
        await asyncio.gather(*ends, return_exceptions=True)


class BranchingExecutor(PartsExecutor):
    """Answers every fragment as if it stood alone, as parts that are told apart by their paths have to be."""

    def build_root_execution_plan(self, original_grouped_field_set: GroupedFieldSet) -> ExecutionPlan:
        """Say which fields are answered now, and which with each fragment that is deferred here."""
        plan: ExecutionPlan | None = self._initial_execution_plans.get(original_grouped_field_set)
        if plan is None:
            plan = _branches(original_grouped_field_set, self.defer_usage_set or RefSet())
            self._initial_execution_plans[original_grouped_field_set] = plan
        return plan

    build_sub_execution_plan = build_root_execution_plan


def _branches(fields: GroupedFieldSet, now: DeferUsageSet) -> ExecutionPlan:
    here: GroupedFieldSet = {}
    deferred: SetMap[DeferUsageSet, GroupedFieldSet] = SetMap()
    for key, several in fields.items():
        for details in several:
            usages: DeferUsageSet = RefSet() if details.defer_usage is None else RefSet([details.defer_usage])
            branch = here if usages == now else deferred.get_or_insert_computed(usages, lambda _: {})
            branch.setdefault(key, []).append(details)
    return ExecutionPlan(here, deferred)


EXECUTORS: Mapping[Form, type[PartsExecutor]] = {Form.BY_PATH: BranchingExecutor, Form.BY_ID: PartsExecutor}
