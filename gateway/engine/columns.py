"""What a selection wants of a document's keys, and the function, generated, that makes its object of the values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.engine.leaves import TEXTS, Finish

MISSING = msgspec.Raw(b"")


@dataclass(frozen=True, slots=True)
class Want:
    """A value that a column wants of a key: how it is decoded, and what stands for it when the key is missing."""

    key: str
    annotation: Any
    default: Callable[[], Any] | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A response key: the values that it is made of, and what makes it of them, or the columns of its object."""

    response_key: str
    wants: Sequence[Want]
    finish: Callable[..., Any] | None = None
    columns: "Sequence[Column] | None" = None


def in_common(several: Sequence[Want]) -> Want | None:
    """What serves all who want a key; None where each must decode it for itself.

    Who wants anything takes a text as well as who wants just that; one that is none leaves the plan either way.
    """
    exact = [want for want in several if want.annotation is not Any] or several
    is_one = all(want == exact[0] for want in exact)
    return exact[0] if is_one and (len(exact) == len(several) or exact[0].annotation in TEXTS) else None


def struct_field(slot: str, want: Want | None) -> tuple[Any, ...]:
    """A key that all want alike is decoded at once; one that they want differently is kept raw for each to decode."""
    if want is None:
        return (slot, msgspec.Raw, MISSING)
    if want.required:
        return (slot, want.annotation)
    return (slot, want.annotation, msgspec.field(default_factory=want.default) if want.default else None)


def generate(columns: Sequence[Column], slots: Mapping[str, str], shared: Mapping[str, bool]) -> Finish:
    """Write the function that makes a dict of a struct: `{"name": s.f0, "urlExpiresAt": n0(s.f1), …}`."""
    names: dict[str, Any] = {}

    def named(value: Any) -> str:
        names[f"n{len(names)}"] = value
        return f"n{len(names) - 1}"

    def value(want: Want) -> str:
        slot = f"s.{slots[want.key]}"
        return slot if shared[want.key] else f"{named(_decode_apart(want))}({slot})"

    def made(column: Column) -> str:
        if column.columns is not None:
            return object_(column.columns)
        values = ", ".join(map(value, column.wants))
        return values if column.finish is None else f"{named(column.finish)}({values})"

    def object_(columns: Sequence[Column]) -> str:
        return f"{{{', '.join(f'{column.response_key!r}: {made(column)}' for column in columns)}}}"

    # Response keys are GraphQL names, which the lexer let through, and slots are ours: nothing else is in this source.
    exec(f"def finish(s): return {object_(columns)}", names)  # noqa: S102 - see above
    finish: Finish = names["finish"]
    return finish


def _decode_apart(want: Want) -> Finish:
    decode = msgspec.json.Decoder(want.annotation).decode

    def read(raw: msgspec.Raw) -> Any:
        if raw:
            return decode(raw)
        if want.required:
            raise msgspec.ValidationError
        return want.default() if want.default else None

    return read
