"""Ids: what may be one, and the global form that names a type and an id."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import strawberry

from gateway.errors import BadUserInput
from gateway.graph.promise import or_failure

MAX_ID_LENGTH = 256

T = TypeVar("T")

_BASE64URL = bytes.maketrans(b"-_+/", b"+/!!")  # to the standard alphabet, of which two characters are none here
_FORBIDDEN = re.compile(r"[/\\%?#\s]")


def check_id(id_: str, argument: str) -> str:
    """Pass on an id of an upstream. Raises BadUserInput for what could be read as another path, or is too long."""
    if not id_ or len(id_) > MAX_ID_LENGTH:
        raise BadUserInput(f"`{argument}` must have 1 to {MAX_ID_LENGTH} characters; this one has {len(id_)}.")
    if id_ in {".", ".."} or _FORBIDDEN.search(id_) or not id_.isprintable():
        raise BadUserInput(f"`{argument}` is not an id: it holds a slash, a percent sign, white space or the like.")
    return id_


def each_id(ids: Sequence[str], argument: str, at_most: int, load: Callable[[str], T]) -> list[T]:
    """Load each of a list of ids; one that is none fails at its own place. Raises BadUserInput for too many."""
    if len(ids) > at_most:
        raise BadUserInput(f"`{argument}` takes at most {at_most} ids; these are {len(ids)}.")

    def load_one(id_: str) -> T:
        return load(check_id(id_, argument))

    return [or_failure(load_one, id_) for id_ in ids]


def write_base64url(raw: bytes) -> str:
    """Encode as base64url without padding (RFC 4648, 5)."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_base64url(text: str) -> bytes:
    """Decode what was so encoded. Raises binascii.Error or UnicodeError for anything else."""
    padded = text.encode("ascii") + b"=" * (-len(text) % 4)
    return base64.b64decode(padded.translate(_BASE64URL), validate=True)


def global_id(type_name: str, id_: str) -> strawberry.ID:
    """Make the id that is unique in the graph: the type and the upstream's id, in base64url."""
    return strawberry.ID(write_base64url(f"{type_name}:{id_}".encode()))


def read_global_id(id_: str, argument: str) -> tuple[str, str]:
    """Take a global id apart: type and upstream id. Raises BadUserInput for anything that is none."""
    try:
        type_name, colon, own = read_base64url(id_).decode().partition(":")
    except (binascii.Error, UnicodeError):
        type_name, colon, own = "", "", ""
    if not colon or global_id(type_name, own) != id_:
        raise BadUserInput(f"`{argument}` takes global ids, as the field `id` gives them; this is none.")
    return type_name, check_id(own, argument)


@strawberry.interface(description="An object with a global id.")
class Node:
    """What `node` can find again."""

    id: strawberry.ID = strawberry.field(description="Unique in the graph; `node` finds the object by it.")
