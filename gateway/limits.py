"""What may be asked, of every request before anything is done for it.

Documents are counted before they are validated, in steps that grow with their length alone: a fragment is looked at
once, and its size counts wherever it is spread.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from graphql import DocumentNode

from gateway.counting import Counting, merges
from gateway.errors import AskedTooMuch
from gateway.lexer import has_more_than, parse


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """How large a document may be; a field's name after `GATEWAY_MAX_`, in capitals, is its setting.

    `depth` holds for fields in each other, and for lists and objects in each other where a value is written. `fields`
    are counted with every fragment in the place where it is spread; `values` are those written in the document, with
    each in a list or an object; `merges` are pairs of fields that stand under one name in one place of the answer, each
    of which validation compares. `introspection` are values of the schema that it asks for.
    """

    document_bytes: int = 32_768
    tokens: int = 1_000
    definitions: int = 50
    depth: int = 15
    fields: int = 1_000
    root_fields: int = 50
    aliases: int = 100
    directives: int = 50
    fragments: int = 50
    values: int = 200
    merges: int = 300
    introspection: int = 10_000

    def parse(self, text: str, read: Callable[[str], DocumentNode] = parse) -> "Measured":
        """Parse a document. Raises AskedTooMuch, at the first token too many or for anything else of its size."""
        if has_more_than(text, self.tokens):
            raise AskedTooMuch("tokens", self.tokens)
        return self.check(read(text))

    def check_bytes(self, text: str) -> None:
        """Refuse a text for its length alone. Raises AskedTooMuch."""
        most = self.document_bytes
        if len(text) > most or (not text.isascii() and len(text.encode(errors="surrogatepass")) > most):
            raise AskedTooMuch("document_bytes", most, len(text.encode(errors="surrogatepass")))

    def check(self, document: DocumentNode) -> "Measured":
        """Refuse a document for what it holds, or say how much that is. Raises AskedTooMuch."""
        self._check("definitions", len(document.definitions))
        counting = Counting.of(document)
        for name in ("aliases", "directives", "fragments", "values"):
            self._check(name, getattr(counting, name))
        for name in ("depth", "fields", "root_fields"):
            self._check(name, max((getattr(size, name) for size in counting.operations), default=0))
        self._check("depth", counting.value_depth)
        pairs = merges(counting, self.merges)
        self._check("merges", pairs)
        return Measured(document, pairs, tuple(size.fields for size in counting.operations))

    def check_introspection(self, asked: int) -> None:
        """Refuse a document for what it asks of the schema, which is counted no further. Raises AskedTooMuch."""
        if asked > self.introspection:
            raise AskedTooMuch("introspection", self.introspection)

    def _check(self, name: str, asked: int) -> None:
        most: int = getattr(self, name)
        if asked > most:
            raise AskedTooMuch(name, most, asked)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How much a request may hold besides its document; a field's name is its setting's, as above.

    `variables_depth` is how many lists and objects may stand in each other, `list_items` how much may stand in one.
    """

    body_bytes: int = 1_048_576
    url_bytes: int = 16_384
    header_bytes: int = 65_536
    arrival_seconds: int = 15
    variables_bytes: int = 262_144
    variables_depth: int = 10
    list_items: int = 2_000

    def check_variables(self, variables: Mapping[str, Any] | None, size: int | None = None) -> None:
        """Refuse variables for their size or shape. Raises AskedTooMuch.

        `size` is that of what they came in, where it is known: most are weighed by it.
        """
        if not variables:
            return
        if size is None or size > self.variables_bytes:
            weight = len(msgspec.json.encode(variables))
            if weight > self.variables_bytes:
                raise AskedTooMuch("variables_bytes", self.variables_bytes, weight)
        for value in variables.values():
            if value.__class__ is list or value.__class__ is dict:  # in most requests none is
                self._check_each((value,), self.variables_depth)

    def _check_each(self, values: Iterable[Any], depth: int) -> None:
        for value in values:
            if isinstance(value, list | dict):
                if not depth:
                    raise AskedTooMuch("variables_depth", self.variables_depth)
                if len(value) > self.list_items:
                    raise AskedTooMuch("list_items", self.list_items, len(value))
                self._check_each(value if isinstance(value, list) else value.values(), depth - 1)


class CostLimits(NamedTuple):
    """How much an operation may cause at most, by what is known of it before it is executed.

    Where calls are not `joined`, each document takes one of its own.
    """

    upstream_calls: int = 300
    objects: int = 10_000
    joined: bool = True

    def check(self, upstream_calls: int, objects: int) -> None:
        """Refuse an operation for what it could cause. Raises AskedTooMuch."""
        if upstream_calls > self.upstream_calls:
            raise AskedTooMuch("upstream_calls", self.upstream_calls, upstream_calls)
        if objects > self.objects:
            raise AskedTooMuch("objects", self.objects, objects)


class Measured(NamedTuple):
    """A document that keeps its limits: how many pairs of fields validation compares, and each operation's fields."""

    document: DocumentNode
    merges: int
    fields: tuple[int, ...]
