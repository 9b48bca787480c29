"""Which media types a request has and takes: read from its headers, once for each wording of them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from gateway.engine.incremental import Form
from gateway.http.refusal import Refusal

GRAPHQL_TYPE, JSON_TYPE = "application/graphql-response+json", "application/json"
STREAM_TYPES = ("text/event-stream", "multipart/mixed")
FORMS = (("deferspec", Form.BY_PATH), ("incrementalspec", Form.BY_ID))  # Apollo's names for them
FORM_PARAMETERS = {name for name, _ in FORMS}
WORDINGS = 256
MAX_HEADER_BYTES = 2_000  # far more than any client says, and little enough to be read in a millisecond

_PARTS = {separator: re.compile(rf'(?:[^{separator}"]|"(?:\\.|[^"\\])*"?)+') for separator in ",;"}


@dataclass(frozen=True, slots=True)
class WholeType:
    """A media type of one whole answer, and the status under which it says that GraphQL refused a request."""

    content_type: bytes
    refused: int


@dataclass(frozen=True, slots=True)
class StreamType:
    """A media type of an answer in several parts, with the parameters that the client gave it."""

    name: str
    parameters: Mapping[str, str]


# The audits of the npm package graphql-http, and the specification up to 2025, give a refusal these statuses.
GRAPHQL_RESPONSE = WholeType(b"application/graphql-response+json; charset=utf-8", 400)
LEGACY_JSON = WholeType(b"application/json; charset=utf-8", 200)


class Accepted(NamedTuple):
    """What a client takes: a whole answer as `whole`, unless that is None, and streams, the preferred one first.

    A stream is taken only where it is named: no wildcard makes one. Nor is one answer taken in parts, but in a `form`
    that the client names. `is_named` says that one of them all is.
    """

    whole: WholeType | None
    streams: tuple[StreamType, ...] = ()
    form: Form | None = None
    is_named: bool = False


class _Range(NamedTuple):
    name: str
    weight: float
    parameters: Mapping[str, str]


@lru_cache(maxsize=WORDINGS)
def accepted(header: bytes | None) -> Accepted:
    """Read an `Accept` header; without one, JSON is taken. Raises Refusal for one that is too long to be read."""
    if not header:
        return Accepted(LEGACY_JSON)
    ranges = list(_ranges(_bounded("Accept", header)))
    graphql, named = _weight(GRAPHQL_TYPE, ranges)
    json, is_json_named = _weight(JSON_TYPE, ranges)
    taken = sorted((one for one in ranges if one.name in STREAM_TYPES and one.weight), key=lambda one: -one.weight)
    return Accepted(
        _whole(graphql, json, prefers_graphql=named),
        tuple(StreamType(one.name, one.parameters) for one in taken if not _is_deferred(one)),
        next((form for one in taken if (form := _form(one)) is not None), None),
        is_named=named or is_json_named or bool(taken),
    )


def weights(header: bytes) -> dict[str, float]:
    """Read a header that names things with weights, as `Accept-Encoding` does, by their names in lower case."""
    return {one.name: one.weight for one in _ranges(header)}


@lru_cache(maxsize=WORDINGS)
def check_body_type(header: bytes | None) -> None:
    """Check the `Content-Type` of a body. Raises Refusal for any but JSON in UTF-8."""
    name, parameters = _media_type(_bounded("Content-Type", header or b"").decode("latin-1"))
    if name != JSON_TYPE or not _is_utf8(parameters):
        raise Refusal(415, "A POST must be application/json, in UTF-8.")


def _bounded(name: str, header: bytes) -> bytes:
    if len(header) > MAX_HEADER_BYTES:
        raise Refusal(431, f"The header {name} is longer than {MAX_HEADER_BYTES} bytes.")
    return header


def _whole(graphql: float, json: float, *, prefers_graphql: bool) -> WholeType | None:
    """Choose the type of more weight; of two with the same, the newer one only for who names it."""
    if not graphql and not json:
        return None
    return GRAPHQL_RESPONSE if graphql > json or (graphql == json and prefers_graphql) else LEGACY_JSON


def _weight(type_: str, ranges: list[_Range]) -> tuple[float, bool]:
    """Give the weight of a type, from the most exact range that holds it, and whether it is named."""
    for names in ((type_,), (f"{type_.partition('/')[0]}/*",), ("*/*", "*")):  # "*" alone is Java's word
        given = [one.weight for one in ranges if one.name in names and _is_utf8(one.parameters)]
        if given:
            return max(given), type_ in names
    return 0.0, False


def _ranges(header: bytes) -> Iterator[_Range]:
    """Read what a header names; a weight that is no number leaves its name out."""
    for text in _PARTS[","].findall(header.decode("latin-1")):
        name, parameters = _media_type(text)
        weight = _number(parameters.pop("q", "1"))
        if weight is not None:
            yield _Range(name, weight, parameters)


def _number(text: str) -> float | None:
    # Java's own client writes `.2`, which the grammar does not know.
    return min(float(text), 1.0) if re.fullmatch(r"\d{1,3}(\.\d{0,9})?|\.\d{1,9}", text) else None


def _media_type(text: str) -> tuple[str, dict[str, str]]:
    """Read a media type, in lower case, and its parameters, without the quotes around their values."""
    name, *rest = _PARTS[";"].findall(text) or [""]
    pairs = (part.partition("=") for part in rest)
    return name.strip().lower(), {key.strip().lower(): _unquoted(value.strip()) for key, _, value in pairs}


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if len(value) > 1 and value[0] == value[-1] == '"' else value


def _is_deferred(one: _Range) -> bool:
    """Whether its parts would be those of one answer, by `@defer`, rather than of many."""
    return not FORM_PARAMETERS.isdisjoint(one.parameters) and "subscriptionspec" not in one.parameters


def _form(one: _Range) -> Form | None:
    """Read the form of such parts, by the rules that are named; None for rules that nobody here knows."""
    return next((form for name, form in FORMS if one.parameters.get(name) == form.value), None)


def _is_utf8(parameters: Mapping[str, str]) -> bool:
    return parameters.get("charset", "utf-8").lower() in ("utf-8", "utf8")
