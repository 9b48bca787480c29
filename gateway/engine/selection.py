"""Which fields an operation selects of a type, fragments merged and directives decided, as graphql-core says."""

from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.collect_fields import (
    CollectedFields,
    FieldDetailsList,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from gateway.engine.leaves import NotPlannable

Grouped = dict[str, FieldDetailsList]


def fragments_of(document: DocumentNode) -> dict[str, FragmentDetails]:
    """The fragments that a document defines, by their names."""
    return {
        one.name.value: FragmentDetails(one, None)
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }


@dataclass(frozen=True, slots=True)
class Selections:
    """The selection sets of one operation, for one choice of the variables that decide what is skipped.

    `forbidden` are fields by their coordinates, which are selected all the same, and refused.
    """

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    variables: VariableValues
    forbidden: frozenset[str] = frozenset()

    @property
    def definitions(self) -> dict[str, FragmentDefinitionNode]:
        """The fragments' definitions, as resolvers see them."""
        return {name: details.definition for name, details in self.fragments.items()}

    def root(self, type_: GraphQLObjectType) -> Grouped:
        """The fields of the operation itself, by response key in the order of the answer."""
        return _at_once(self.collect_root(type_))

    def below(self, type_: GraphQLObjectType, details: FieldDetailsList) -> Grouped:
        """The fields of an object that these selections lead to."""
        return _at_once(self.collect(type_, details))

    def collect_root(self, type_: GraphQLObjectType) -> CollectedFields:
        """The fields of the operation itself, deferred ones too."""
        return collect_fields(self.schema, self.fragments, self.variables, type_, self.operation)

    def collect(self, type_: GraphQLObjectType, details: FieldDetailsList) -> CollectedFields:
        """The fields of an object that these selections lead to, deferred ones too."""
        return collect_subfields(self.schema, self.fragments, self.variables, self.operation, type_, details)


def _at_once(collected: CollectedFields) -> Grouped:
    if collected.new_defer_usages:
        raise NotPlannable("@defer")
    return collected.grouped_field_set
