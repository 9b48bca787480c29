"""graphql-core's executor, for what is not answered by a plan: it does all but introspection, which takes it long."""

from typing import Any

from graphql import GraphQLObjectType
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from gateway.engine.introspection import ROOTS, introspect
from gateway.engine.selection import Selections


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Answers `__schema` and `__type` as a plan does, so that nobody can choose to have it answered slowly."""

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_details_list: FieldDetailsList, path: Path, *rest: Any
    ) -> Any:
        """Resolve and complete a field."""
        if field_details_list[0].node.name.value in ROOTS:
            selections = Selections(self.schema, self.operation, self.fragments, self.variable_values)
            try:
                return introspect(selections, field_details_list)
            except Exception:  # noqa: BLE001, S110 - whatever it is, graphql-core meets it again and gives it its place
                pass
        return super().execute_field(parent_type, source, field_details_list, path, *rest)
