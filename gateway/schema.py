"""The whole graph: its roots, joined from the sources."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import strawberry
from graphql import is_input_object_type
from strawberry.schema.config import StrawberryConfig
from strawberry.types.scalar import ScalarDefinition

from gateway.auth.scopes import READ_ASSETS, READ_DOWNLOADS, READ_SCANS, Need
from gateway.context import Context
from gateway.errors import BadUserInput
from gateway.graph.cost import Calls, Finds, Lookup, costs
from gateway.graph.ids import Node, read_global_id
from gateway.graph.promise import or_failure
from gateway.graph.scalars import SCALARS
from gateway.graph.viewer import Viewer, viewer_of
from gateway.links import fields as _fields  # noqa: F401 - it gives scans and assets the fields that join them
from gateway.links.mutations import LinkMutations
from gateway.prism.schema import PrismQueries, PrismSubscriptions, scan_node
from gateway.prism.types import RECORD, Scan
from gateway.scenario.client import MAX_BULK
from gateway.scenario.mutations import ScenarioMutations
from gateway.scenario.schema import (
    ASSET,
    JOB,
    ScenarioQueries,
    ScenarioSubscriptions,
    asset_node,
    download_job_node,
)
from gateway.scenario.types import Asset, DownloadJob

MAX_NODES = 100

Info = strawberry.Info[Context, None]


class NodeType(NamedTuple):
    """A type whose objects are found by their global ids: how, what that needs, and the document that it takes."""

    find: Callable[[Any, str], Node | None]
    need: Need
    document: Callable[[str], Lookup]


NODES: Mapping[str, NodeType] = {
    "Scan": NodeType(scan_node, READ_SCANS, lambda own: Lookup(RECORD, own)),
    "Asset": NodeType(asset_node, READ_ASSETS, lambda own: Lookup(ASSET, own, MAX_BULK)),
    "DownloadJob": NodeType(download_job_node, READ_DOWNLOADS, lambda own: Lookup(JOB, own)),
}


def document_of(id_: object) -> Lookup | None:
    """The document by which the object of a global id is found; None for an id that is none."""
    try:
        type_name, own = read_global_id(str(id_), "id")
    except BadUserInput:
        return None
    return NODES[type_name].document(own) if type_name in NODES else None


def find_node(info: Info, id_: str, argument: str) -> Node | None:
    """Find the object of a global id. Raises BadUserInput for one that names no type of this graph, or Forbidden."""
    type_name, own = read_global_id(id_, argument)
    if type_name not in NODES:
        raise BadUserInput(f"`{argument}` names a type that this graph does not have.")
    NODES[type_name].need.check(info.context.journal.caller)
    return NODES[type_name].find(info, own)


@strawberry.type(description="What can be asked.")
class Query(PrismQueries, ScenarioQueries):
    """The fields of both sources, and those that are about either."""

    @strawberry.field(
        description="Any object by its global id; null when it does not exist. Needs the scope of what is found.",
        metadata=costs(Finds("id", document_of)),
    )
    def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="A global id.")],  # noqa: A002 - Relay's word
    ) -> Node | None:
        """One call."""
        return find_node(info, id, "id")

    @strawberry.field(
        description=f"Objects by global id, in the order asked; null where one does not exist. At most {MAX_NODES}."
        " Each needs the scope of what is found.",
        metadata=costs(Finds("ids", document_of)),
    )
    def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="Global ids.")]
    ) -> list[Node | None]:
        """One call a scan or job, one for all assets; one that fails is null with an error at its place."""
        if len(ids) > MAX_NODES:
            raise BadUserInput(f"`ids` takes at most {MAX_NODES} ids; these are {len(ids)}.")
        return [or_failure(find_node, info, id_, "ids") for id_ in ids]

    @strawberry.field(description="Who asks, what they may do, and what they have left.", metadata=costs(Calls(0)))
    def viewer(self, info: Info) -> Viewer:
        """No call."""
        context = info.context
        context.journal.end_freshness()
        return viewer_of(context.journal.caller, context.rates)


@strawberry.type(description="What can be changed.")
class Mutation(ScenarioMutations, LinkMutations):
    """Every change, one after the other in the order asked."""


@strawberry.type(description="What can be followed: the present state at once, then one message for each change.")
class Subscription(PrismSubscriptions, ScenarioSubscriptions):
    """Every document that is watched."""


def build_schema(
    query: type[Query] = Query,
    more_scalars: Mapping[object, ScalarDefinition] | None = None,
    *,
    is_incremental: bool = False,
) -> strawberry.Schema:
    """Build the schema over a `query` that may have further fields, and scalars for them.

    One that `is_incremental` has the directives by which clients take answers in parts.
    """
    built = strawberry.Schema(
        query=query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Scan, Asset, DownloadJob],
        config=StrawberryConfig(
            scalar_map={**SCALARS, **(more_scalars or {})},
            enable_experimental_incremental_execution=is_incremental,
        ),
    )
    _mend_is_one_of(built)
    return built


def _mend_is_one_of(built: strawberry.Schema) -> None:
    """Let `isOneOf` be null for what is no input, as GraphQL has it; Strawberry fails for lists and non-null types."""
    its: Any = built._schema.type_map["__Type"]  # noqa: SLF001 - graphql-core's own, which all schemas share
    resolve = its.fields["isOneOf"].resolve
    its.fields["isOneOf"].resolve = lambda type_, info: resolve(type_, info) if is_input_object_type(type_) else None


schema = build_schema()
