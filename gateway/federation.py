"""The graph as a subgraph of Apollo Federation 2: its SDL for composition, and its objects found by their keys."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, NewType

import strawberry
from graphql import GraphQLError, GraphQLID
from strawberry.types.base import get_object_definition

from gateway.errors import BadUserInput
from gateway.graph.cost import Finds, Lookup, costs
from gateway.graph.ids import check_id, read_global_id
from gateway.graph.promise import or_failure
from gateway.prism.types import Scan
from gateway.scenario.schema import asset_node, download_job_node
from gateway.scenario.types import Asset, DownloadJob
from gateway.schema import NODES, Info, Query, build_schema, document_of, schema

MAX_REPRESENTATIONS = 1_000  # as many as the longest list that a router may resolve further

LINK = (
    'extend schema @link(url: "https://specs.apollo.dev/federation/v2.5",'
    ' import: ["@key", "@shareable", "@requiresScopes"])'
)

Representation = NewType("Representation", object)
Entity = Annotated[
    Scan | Asset | DownloadJob, strawberry.union("_Entity", description="What other subgraphs may refer to.")
]


@dataclass(frozen=True, slots=True)
class EntityType:
    """A type that other subgraphs may refer to: by its `key`, the upstream's own id, or by the global `id`."""

    key: str
    find: Callable[[Any, str], Any]


ENTITIES: Mapping[str, EntityType] = {
    "Asset": EntityType("assetId", asset_node),
    "DownloadJob": EntityType("jobId", download_job_node),
    "Scan": EntityType("scanId", lambda _info, scan_id: Scan.by_id(scan_id)),
}
DIRECTIVES: Mapping[str, str] = {
    **{name: f'@key(fields: "{entity.key}") @key(fields: "id")' for name, entity in ENTITIES.items()},
    "PageInfo": "@shareable",  # Relay's, which other subgraphs have as well
}


@cache
def sdl() -> str:
    """The subgraph's SDL: the graph's own, with what composition has to know of some types after their names.

    `@requiresScopes` is Federation's own there, which defines it.
    """

    def marked(head: re.Match[str]) -> str:
        directives = DIRECTIVES.get(head["name"])
        return head[0] if directives is None else f"{head[0]} {directives}"

    graph = re.sub(r'"""[^"]*"""\ndirective @requiresScopes.*\n\n', "", schema.as_str(), count=1)
    marked_types = re.sub(r"^type (?P<name>\w+)[^{\n]*(?= \{$)", marked, graph, flags=re.MULTILINE)
    return f"{LINK}\n\n{marked_types}"


def find_entity(info: Info, representation: Any) -> Any:
    """Find what a representation stands for. Raises Forbidden, or BadUserInput for one that names nothing here."""
    type_name = _type_of(representation)
    if type_name is None:
        names = ", ".join(f"`{name}`" for name in ENTITIES)
        raise BadUserInput(f"A representation is an object whose `__typename` is one of {names}.")
    NODES[type_name].need.check(info.context.journal.caller)
    entity = ENTITIES[type_name]
    if entity.key in representation:
        return entity.find(info, check_id(_read_id(representation, entity.key), entity.key))
    if "id" not in representation:
        raise BadUserInput(f"A representation of `{type_name}` has `{entity.key}` or `id`; this one has neither.")
    named, own = read_global_id(_read_id(representation, "id"), "id")
    if named != type_name:
        raise BadUserInput(f"`id` is of another type than the representation, which is a `{type_name}`.")
    return entity.find(info, own)


def document_of_entity(representation: Any) -> Lookup | None:
    """The document by which what a representation stands for is found; a scan is taken at its word."""
    type_name = _type_of(representation)
    if type_name is None:
        return None
    key = ENTITIES[type_name].key
    by_key = key in representation
    lookup = NODES[type_name].document(str(representation[key])) if by_key else document_of(representation.get("id"))
    return lookup._replace(document=None) if lookup is not None and type_name == "Scan" else lookup


def _type_of(representation: Any) -> str | None:
    """Read which entity something stands for; None for none of this graph's."""
    type_name = representation.get("__typename") if isinstance(representation, dict) else None
    return type_name if isinstance(type_name, str) and type_name in ENTITIES else None


def _read_id(representation: Mapping[str, Any], key: str) -> str:
    """Read an id as GraphQL reads one from a variable."""
    try:
        id_: str = GraphQLID.parse_value(representation[key])
    except GraphQLError:
        raise BadUserInput(f"`{key}` is not an id: it is neither a string nor a whole number.") from None
    return id_


@strawberry.type(name="_Service", description="This subgraph, as composition sees it.")
class Service:
    """What `_service` answers."""

    sdl: str = strawberry.field(description="The subgraph's SDL.")


@strawberry.type(name="Query", description=get_object_definition(Query, strict=True).description)
class SubgraphQuery(Query):
    """The graph's fields, and those that a router asks."""

    @strawberry.field(name="_service", description="What composition asks.")
    def service(self) -> Service:
        """No call."""
        return Service(sdl=sdl())

    @strawberry.field(
        name="_entities",
        description=f"What representations stand for, in their order; null where one does not exist. At most"
        f" {MAX_REPRESENTATIONS:,}. Each needs the scope of what it stands for.",
        metadata=costs(Finds("representations", document_of_entity)),
    )
    def entities(
        self,
        info: Info,
        representations: Annotated[
            list[Representation],
            strawberry.argument(description="Objects with `__typename` and the fields of one of its keys."),
        ],
    ) -> list[Entity | None]:
        """No call a scan, one a job, one for every 200 assets; one that fails is null with an error at its place."""
        if len(representations) > MAX_REPRESENTATIONS:
            raise BadUserInput(
                f"`representations` takes at most {MAX_REPRESENTATIONS:,}; these are {len(representations):,}."
            )
        return [or_failure(find_entity, info, representation) for representation in representations]


@cache
def subgraph(*, is_incremental: bool = False) -> strawberry.Schema:
    """The schema that is served to a router."""
    any_ = strawberry.scalar(name="_Any", description="A representation: `__typename` and the fields of a key.")
    return build_schema(SubgraphQuery, {Representation: any_}, is_incremental=is_incremental)
