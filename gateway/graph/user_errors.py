"""What a mutation answers when the upstream will not do it: an answer for the person, beside the data."""

from enum import Enum

import strawberry

from gateway.errors import BadUserInput, GatewayError, UpstreamError
from gateway.graph.enums import value

NOT_THE_PERSONS_FAULT = {401, 407, 408}
ABOUT_NO_FIELD = {402, 429}  # the plan, and how much is going on already


@strawberry.enum(description="Why a change was not made.")
class UserErrorCode(Enum):
    """The codes of `UserError`."""

    INVALID = value("INVALID", "An input cannot be used as it is.")
    NOT_FOUND = value("NOT_FOUND", "What it is about does not exist.")
    CONFLICT = value("CONFLICT", "It stands against the present state: a lock of another, for one.")
    TOO_MANY = value("TOO_MANY", "Too many things at once, or too many requests.")
    NOT_PERMITTED = value("NOT_PERMITTED", "It is not allowed here.")


_BY_STATUS = {
    402: UserErrorCode.NOT_PERMITTED,
    403: UserErrorCode.NOT_PERMITTED,
    404: UserErrorCode.NOT_FOUND,
    409: UserErrorCode.CONFLICT,
    410: UserErrorCode.NOT_FOUND,
    413: UserErrorCode.TOO_MANY,
    423: UserErrorCode.CONFLICT,
    429: UserErrorCode.TOO_MANY,
}


@strawberry.type(description="Why a change was not made, for the person who asked for it.")
class UserError:
    code: UserErrorCode = strawberry.field(description="The sort of reason.")
    message: str = strawberry.field(description="The reason, to be shown.")
    field: list[str] | None = strawberry.field(description="The input field that it concerns; null when it is none.")


def user_error(error: GatewayError, fields: dict[int | None, str] | None = None) -> UserError:
    """Turn a refusal into an answer; `fields` names the input field by HTTP status, under None for any other.

    Raises the error itself when it is none of the person's doing: the upstream failed, or refused the gateway.
    """
    fields = fields or {}
    if isinstance(error, BadUserInput):
        return UserError(code=UserErrorCode.INVALID, message=error.message, field=_field(fields.get(None)))
    status = error.status if isinstance(error, UpstreamError) else None
    if status is None or not 400 <= status < 500 or status in NOT_THE_PERSONS_FAULT:  # noqa: PLR2004 - HTTP's 4xx
        raise error
    return UserError(
        code=_BY_STATUS.get(status, UserErrorCode.INVALID),
        message=error.message,
        field=None if status in ABOUT_NO_FIELD else _field(fields.get(status, fields.get(None))),
    )


def _field(name: str | None) -> list[str] | None:
    return None if name is None else [name]
