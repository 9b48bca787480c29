"""Which scopes a field takes, declared where the field is: in the schema by a directive, for people in its description.

@strawberry.field(**scoped(READ_ASSETS, "One Scenario asset."), metadata=…)
def asset(self, asset_id: strawberry.ID) -> Asset | None: …
"""

from typing import TypedDict

import strawberry
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from gateway.auth.scopes import Need


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="requiresScopes",
    description="The field takes all scopes of any one of these lists; without them it is null, and FORBIDDEN.",
)
class RequiresScopes:
    """Apollo Federation's directive of this name, so that a supergraph has it too."""

    scopes: list[list[str]]


class Scoped(TypedDict):
    """What a scoped field is declared with."""

    description: str
    directives: list[object]


def scoped(need: Need, description: str) -> Scoped:
    """Declare what a field takes."""
    return {"description": described(need, description), "directives": [requires(need)]}


def described(need: Need, description: str) -> str:
    """Say in a field's description what it takes."""
    return f"{description} Needs {need}."


def requires(need: Need) -> RequiresScopes:
    """Say so in the schema."""
    return RequiresScopes(scopes=[list(every) for every in need.alternatives])


def need_of(field: StrawberryField) -> Need | None:
    """What a field takes; None where that is nothing of its own."""
    for directive in field.directives:
        if isinstance(directive, RequiresScopes):
            return Need(tuple(map(tuple, directive.scopes)))
    return None
