"""Operations made up from a schema: aliases, fragments, directives, arguments and variables of every sort."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
)

DEPTH = 4

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType


@dataclass
class GeneratedOperation:
    """A text, and the variables that it declares by name: their type and values that may be given."""

    text: str
    variables: Mapping[str, str]


@dataclass
class Maker:
    """Makes one operation; `ids` are what arguments may hold, by argument name: ids, or literals of `_Any`."""

    schema: GraphQLSchema
    random: Random
    ids: Mapping[str, list[str]]
    variables: dict[str, str] = field(default_factory=dict)
    fragments: list[str] = field(default_factory=list)
    labels: int = 0

    def operation(self) -> GeneratedOperation:
        """A query with one to three root fields."""
        root = self.schema.query_type
        assert root is not None
        selection = self.selection(root, DEPTH, self.random.randint(1, 3))
        declared = ", ".join(f"${name}: {type_}" for name, type_ in self.variables.items())
        head = f"query Q({declared})" if declared else "query Q"
        names = {name: type_.partition(" ")[0] for name, type_ in self.variables.items()}
        return GeneratedOperation("\n".join([f"{head} {selection}", *self.fragments]), names)

    def selection(self, type_: Composite, depth: int, most: int) -> str:
        """A selection set with at least one field."""
        parts = [self.one(type_, depth) for _ in range(self.random.randint(1, most))]
        return f"{{ {' '.join(parts)} }}"

    def one(self, type_: Composite, depth: int) -> str:
        """A field, or a fragment of fields."""
        chance = self.random.random()
        if chance < 0.05:
            return f"... on {type_.name}{self.fragment_directive()} {self.selection(type_, depth, 3)}"
        if chance < 0.1:
            name = f"F{len(self.fragments)}"
            self.fragments.append("")
            self.fragments[int(name[1:])] = f"fragment {name} on {type_.name} {self.selection(type_, depth, 3)}"
            return f"...{name}{self.fragment_directive()}"
        if chance < 0.15:
            return "__typename" if self.random.random() < 0.5 else f"{self.alias()}__typename"
        if isinstance(type_, GraphQLUnionType) or (isinstance(type_, GraphQLInterfaceType) and chance < 0.6):
            concrete = self.random.choice(list(self.schema.get_possible_types(type_)))
            return f"... on {concrete.name} {self.selection(concrete, depth, 4)}"
        return self.field(type_, depth)

    def field(self, type_: GraphQLObjectType | GraphQLInterfaceType, depth: int) -> str:
        """A field with its arguments, directives and selection."""
        names = [name for name, its in type_.fields.items() if depth or is_leaf_type(get_named_type(its.type))]
        if not names:
            return "__typename"
        name = self.random.choice(names)
        its = type_.fields[name]
        has_arguments = bool(its.args)
        text = f"{self.alias(always=has_arguments)}{name}{self.arguments(its)}{self.field_directive(its)}"
        named = get_named_type(its.type)
        if isinstance(named, Composite):
            return f"{text} {self.selection(named, depth - 1, 5)}"
        return text

    def alias(self, *, always: bool = False) -> str:
        """An alias, mostly none; fields with arguments always have one, so that they need not merge."""
        return f"a{self.random.randrange(10**6)}: " if always or self.random.random() < 0.15 else ""

    def directive(self) -> str:
        """`@skip` or `@include`, by a value or a variable; mostly nothing."""
        if self.random.random() > 0.08:
            return ""
        name = self.random.choice(["skip", "include"])
        value = self.random.choice(["true", "false", self.variable("Boolean!"), self.variable("Boolean! = true")])
        return f" @{name}(if: {value})"

    def fragment_directive(self) -> str:
        """What may stand at a fragment."""
        return self.directive()

    def field_directive(self, _its: GraphQLField) -> str:
        """What may stand at a field."""
        return self.directive()

    def variable(self, type_: str) -> str:
        """A variable of a type, declared with the operation."""
        name = f"v{len(self.variables)}"
        self.variables[name] = type_
        return f"${name}"

    def arguments(self, its: GraphQLField) -> str:
        """Every required argument and some others."""
        given = [
            f"{name}: {self.argument(name, argument)}"
            for name, argument in its.args.items()
            if isinstance(argument.type, GraphQLNonNull) or self.random.random() < 0.4
        ]
        return f"({', '.join(given)})" if given else ""

    def argument(self, name: str, argument: GraphQLArgument) -> str:
        """A value, or a variable of the argument's type."""
        if self.random.random() < 0.35:
            default = f" = {self.value(name, argument.type)}" if self.random.random() < 0.3 else ""
            return self.variable(f"{argument.type}{default}")
        return self.value(name, argument.type)

    def value(self, name: str, type_: Any) -> str:
        """A literal of an input type."""
        if isinstance(type_, GraphQLNonNull):
            return self.value(name, type_.of_type)
        if isinstance(type_, GraphQLList):
            return f"[{', '.join(self.value(name, type_.of_type) for _ in range(self.random.randint(0, 4)))}]"
        if isinstance(type_, GraphQLEnumType):
            return str(self.random.choice(list(type_.values)))
        if isinstance(type_, GraphQLInputObjectType):
            chosen = [key for key in type_.fields if self.random.random() < 0.15]
            return f"{{{', '.join(f'{key}: {self.value(key, type_.fields[key].type)}' for key in chosen)}}}"
        return self.scalar(name, type_.name)

    def scalar(self, name: str, type_name: str) -> str:
        """A literal of a scalar; ids are mostly such as exist."""
        match type_name:
            case "Int":
                return str(self.random.choice([1, 2, 3, 5, 120, 0, -1]))
            case "Boolean":
                return self.random.choice(["true", "false"])
            case "DateTime":
                return '"2024-01-01T00:00:00Z"'
            case "_Any":
                return self.random.choice(self.ids[name])
        return f'"{self.random.choice(self.ids.get(name, ["x"]))}"'


class DeferringMaker(Maker):
    """Makes operations in which fragments are deferred and lists are streamed."""

    def one(self, type_: Composite, depth: int) -> str:
        """A field or a fragment, the latter more often."""
        if self.random.random() < 0.2:
            return f"...{self.fragment_directive()} {self.selection(type_, depth, 3)}"
        return super().one(type_, depth)

    def fragment_directive(self) -> str:
        """Mostly `@defer`."""
        return f" @defer{self.options()}" if self.random.random() < 0.7 else self.directive()

    def field_directive(self, its: GraphQLField) -> str:
        """At a list maybe `@stream`."""
        if not isinstance(get_nullable_type(its.type), GraphQLList) or self.random.random() < 0.4:
            return self.directive()
        return f" @stream{self.options(f'initialCount: {self.random.randint(0, 3)}')}"

    def directive(self) -> str:
        """`@skip` or `@include` now and then."""
        return (
            f" @{self.random.choice(['skip', 'include'])}(if: {self.condition()})"
            if self.random.random() < 0.05
            else ""
        )

    def condition(self) -> str:
        """A value, or a variable, which is used then."""
        value = self.random.choice(["true", "false", "Boolean!", "Boolean! = true"])
        return self.variable(value) if value.startswith("Boolean") else value

    def options(self, *others: str) -> str:
        """Arguments, among which may be a label of its own, and a condition."""
        given = list(others)
        if self.random.random() < 0.5:
            self.labels += 1
            given.append(f'label: "L{self.labels}"')
        if self.random.random() < 0.2:
            given.append(f"if: {self.condition()}")
        return f"({', '.join(given)})" if given else ""


def variable_values(operation: GeneratedOperation, random: Random, ids: list[str]) -> dict[str, Any]:
    """Values for an operation's variables: mostly right, sometimes null, missing or of a wrong type."""
    values: dict[str, Any] = {}
    for name, type_ in operation.variables.items():
        if random.random() < 0.08:
            continue
        values[name] = (
            random.choice([None, 7, "x", [], {}, True]) if random.random() < 0.1 else right(type_, random, ids)
        )
    return values


RIGHT: Mapping[str, list[Any]] = {
    "Boolean": [True, False],
    "Int": [1, 3, 150],
    "ScanAssetType": ["MODEL"],
    "AssetFilter": [{}, {"types": ["TXT2IMG"]}, {"privacy": "PUBLIC"}],
    "AssetSort": [{}, {"field": "UPDATED_AT"}],
    "_Any": [{"__typename": "Scan", "scanId": "missing"}, {"__typename": "Asset", "id": "QXNzZXQ6YQ"}, {}, "x"],
}


def right(type_: str, random: Random, ids: list[str]) -> Any:
    """A value that a type takes."""
    bare = type_.rstrip("!")
    if bare.startswith("["):
        return [right(bare[1:-1], random, ids) for _ in range(random.randint(0, 3))]
    return random.choice(RIGHT.get(bare, ids))
