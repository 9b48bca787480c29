"""What a request says: ids in its path, flags in its query, JSON in its body."""

from typing import TypeVar
from urllib.parse import unquote

import msgspec
from starlette.requests import Request

from gateway.sandbox.errors import Refusal, documented

T = TypeVar("T")


def path_id(request: Request, name: str) -> str:
    """An id of the path, which routes match as it came and only this decodes."""
    return unquote(request.path_params[name])


def flag(request: Request, name: str) -> bool:
    """A query parameter that is `true` or `false`, false without it; 400 for anything else."""
    value = request.query_params.get(name, "false")
    if value not in ("true", "false"):
        raise documented(400, f'"{name}" must be a boolean')
    return value == "true"


def choice(request: Request, name: str, values: tuple[str, ...]) -> str | None:
    """A query parameter that must be one of a few values, None without it; 400 for any other."""
    value = request.query_params.get(name)
    if value is not None and value not in values:
        raise documented(400, f'"{name}" must be one of {", ".join(values)}')
    return value


async def body(request: Request, kind: type[T]) -> T:
    """The JSON body, `{}` without one; 400 with a text when it is not of this kind."""
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    except msgspec.MsgspecError as error:
        raise Refusal(400, f"Invalid request body: {error}") from error
