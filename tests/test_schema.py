"""The printed schema: up to date, described throughout, and never broken without saying so."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    is_named_type,
)
from strawberry import Schema

from gateway.federation import subgraph
from gateway.scenario.metadata import AssetMetadata
from gateway.scenario.properties import AssetProperties
from gateway.schema import build_schema as build_graph
from gateway.schema import schema
from tests.world import World

ROOT = Path(__file__).parent.parent
PRINTED = ROOT / "schema.graphql"


def current() -> GraphQLSchema:
    return build_schema(schema.as_str())


def test_schema_graphql_is_what_the_types_print() -> None:
    assert PRINTED.read_text() == f"{schema.as_str()}\n", "run `make schema` and commit the difference"


@pytest.mark.parametrize("served", [schema, subgraph()], ids=["alone", "as a subgraph"])
def test_everything_has_a_description(served: Schema) -> None:
    lacking = []
    for name, type_ in build_schema(served.as_str()).type_map.items():
        if name.startswith("__") or name in {"String", "Int", "Float", "Boolean", "ID"}:
            continue
        places = {name: type_.description}
        if isinstance(type_, GraphQLEnumType):
            places |= {f"{name}.{value}": member.description for value, member in type_.values.items()}
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            places |= {f"{name}.{field}": its.description for field, its in type_.fields.items()}
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            places |= {
                f"{name}.{field}({argument}:)": its.description
                for field, taking in type_.fields.items()
                for argument, its in taking.args.items()
            }
        lacking += [place for place, description in places.items() if not description]
    assert lacking == []


def test_every_type_is_as_flat_as_introspection_reads_it() -> None:
    """Clients ask for lists and non-nulls seven deep, as graphql-js long did, and cannot build what is deeper."""
    deep = []
    for name, type_ in current().type_map.items():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            deep += [f"{name}.{field}" for field, its in type_.fields.items() if depth(its.type) > 7]
    assert deep == []


def depth(type_: Any) -> int:
    """How many lists and non-nulls are around a named type."""
    return 0 if is_named_type(type_) else 1 + depth(type_.of_type)


def test_every_field_of_metadata_and_of_properties_is_there() -> None:
    types = current().type_map
    for python_type, count in ((AssetMetadata, 111), (AssetProperties, 29)):
        type_ = types[python_type.__name__]
        assert isinstance(type_, GraphQLObjectType)
        assert len(type_.fields) == count


def test_enums_that_an_upstream_owns_end_in_unknown() -> None:
    ours = {"ScanAssetType", "AssetFormat", "AssetSortField", "SortDirection", "UserErrorCode"}
    for name, type_ in current().type_map.items():
        if isinstance(type_, GraphQLEnumType) and not name.startswith("__") and name not in ours:
            assert list(type_.values)[-1] == "UNKNOWN", name


def committed() -> list[str]:
    """The printed schema as last committed, and as it was before that."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and the project's history")
    log = [git, "log", "-2", "--format=%H", "--", "schema.graphql"]
    commits = subprocess.run(log, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603
    show = ([git, "show", f"{commit}:schema.graphql"] for commit in commits)
    return [subprocess.run(some, cwd=ROOT, capture_output=True, text=True, check=True).stdout for some in show]  # noqa: S603


def test_a_breaking_change_stands_in_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    for before in committed():
        changes = find_breaking_changes(build_schema(before), current())
        unsaid = [change.description for change in changes if change.description not in changelog]
        assert unsaid == [], "clients break on these; list them under `Breaking` in CHANGELOG.md, or undo them"


def test_breaking_changes_would_be_found() -> None:
    broken = build_schema(schema.as_str().replace("  mimeType: String\n", "  mediaType: String\n"))
    found = {change.description for change in find_breaking_changes(current(), broken)}
    assert "Field Asset.mimeType was removed." in found


async def test_only_an_input_is_said_to_take_one_of_its_fields_or_not(gateway: World) -> None:
    query = """{
      scan: __type(name: "Scan") { isOneOf fields { type { isOneOf } } }
      filter: __type(name: "AssetFilter") { isOneOf }
    }"""
    build_graph()  # other tests build schemas by Strawberry alone, which shares its own `isOneOf` with all
    told = await gateway.data(query)
    assert told["filter"] == {"isOneOf": False}
    assert told["scan"]["isOneOf"] is None
    assert [field for field in told["scan"]["fields"] if field != {"type": {"isOneOf": None}}] == []
