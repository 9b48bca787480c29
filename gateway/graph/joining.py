"""Fields that belong to a type of one source and lead to another source, declared where both are known."""

from strawberry.types.base import get_object_definition
from strawberry.types.field import StrawberryField


def add_fields(type_: type, **fields: StrawberryField) -> None:
    """Give a type further fields with resolvers, before a schema is built of it. Raises ValueError for one it has."""
    definition = get_object_definition(type_, strict=True)
    known = {field.python_name for field in definition.fields}
    for name, field in fields.items():
        if name in known:
            raise ValueError(f"{type_.__name__} has a field {name} already.")
        field.python_name = name
        definition.fields.append(field)
