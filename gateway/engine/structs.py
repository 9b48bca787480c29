"""The structs that documents are decoded to, made once for all selections of the same keys, whatever they call them.

projection.py shows two, for a small selection.

A class holds itself until all garbage is collected, which takes a tenth of a second in a process that keeps a thousand
operations; and making one takes longer than all else that a selection needs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args

import msgspec

MOST = 2_000  # that are kept, of each kind
MISSING = msgspec.Raw(b"")


@dataclass(frozen=True, slots=True)
class Want:
    """A value that a column wants of a key: how it is decoded, and what stands for it when the key is missing."""

    key: str
    annotation: Any
    default: Callable[[], Any] | None = None
    required: bool = False


@lru_cache(maxsize=MOST)
def struct_of(name: str, wants: tuple[tuple[str, Want | None], ...]) -> Any:
    """Make a struct of some keys; one under which different things are wanted is kept raw for each to decode.

    Its fields are `f0`, `f1` and so on, in this order.
    """
    return msgspec.defstruct(
        name,
        [_field(f"f{number}", want) for number, (_, want) in enumerate(wants)],
        rename={f"f{number}": key for number, (key, _) in enumerate(wants)},
        kw_only=True,
        gc=False,
    )


@lru_cache(maxsize=MOST)
def answer_of(keys: tuple[str, ...]) -> Any:
    """Make a struct of an answer's object, whose values are given in the order of its keys."""
    names = [f"f{number}" for number in range(len(keys))]
    return msgspec.defstruct("Answer", names, rename=dict(zip(names, keys, strict=True)), gc=False)


@lru_cache(maxsize=MOST)
def page_of(struct: Any, key: str) -> Any:
    """Make a struct whose `members` are a list of others, under a key."""
    return msgspec.defstruct("Page", [("members", list[struct])], rename={"members": key})


@lru_cache(maxsize=MOST)
def merged(several: tuple[Want, ...]) -> Want | None:
    """One object for a selection on it and for conversions that read other keys of it; None where they share any."""
    selected = [want for want in several if want.default is not None]
    reads = [read for want in several if want.default is None and (read := _struct_in(want.annotation)) is not None]
    if len(selected) != 1 or len(reads) + 1 != len(several) or _struct_in(selected[0].annotation) is None:
        return None
    base = selected[0].annotation
    fields = {one.encode_name: one for read in reads for one in msgspec.structs.fields(read)}
    if not fields.keys().isdisjoint(base.__struct_encode_fields__) or any(one.required for one in fields.values()):
        return None
    own = [(one.name, one.type, one.default) for one in fields.values()]
    rename = {one.name: name for name, one in fields.items()}
    struct = msgspec.defstruct(base.__name__, own, bases=(base,), rename=rename, kw_only=True, gc=False)
    missing = struct()
    return Want(selected[0].key, struct, lambda: missing)


def let_go() -> int:
    """How many were not kept any more, since the process began."""
    known: Sequence[Any] = [made.cache_info() for made in (struct_of, answer_of, page_of, merged)]
    return sum(info.misses - info.currsize for info in known)


def _struct_in(annotation: Any) -> Any:
    """The struct of an annotation that is one, or one or None."""
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 and isinstance(kinds[0], type(msgspec.Struct)) else None


def _field(name: str, want: Want | None) -> tuple[Any, ...]:
    if want is None:
        return (name, msgspec.Raw, MISSING)
    if want.required:
        return (name, want.annotation)
    return (name, want.annotation, msgspec.field(default_factory=want.default) if want.default else None)
