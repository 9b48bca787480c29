"""Documents that clients name instead of sending them: those sent once before, and those trusted from the start.

The first is Apollo's protocol of automatic persisted queries; a trusted list is what Apollo's and Relay's tools write.
"""

import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from gateway.errors import NO_TRUSTED_ID, NO_TRUSTED_TEXT, NOT_PERSISTED, NOT_PERSISTING
from gateway.http.operation import Operation
from gateway.http.refusal import Refusal
from gateway.settings import BadSettingsError

PREFIX = "sha256:"
ENTRY_OVERHEAD = 300  # bytes that Python spends on a hash and its place
APOLLO_FORMAT = "apollo-persisted-query-manifest"


@dataclass(slots=True)
class PersistedDocuments:
    """Texts by the SHA-256 of their UTF-8, at most `max_bytes` of them together, least recently asked out first."""

    are_trusted: ClassVar[bool] = False

    max_bytes: int
    used_bytes: int = 0
    _texts: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._texts)

    def text(self, query: str | None, id_: str | None) -> str | None:
        """Give the document of a request, keeping a new one. Raises Refusal for an unknown id, or another's."""
        if id_ is None:
            return query
        if not query:
            return self._known(id_)
        if sha256(query.encode(errors="surrogatepass")).hexdigest() != id_:
            raise Refusal(400, "The id of the persisted document is not the SHA-256 of `query`.")
        self._keep(id_, query)
        return query

    def _known(self, id_: str) -> str:
        if not self.max_bytes:
            raise Refusal(None, "PersistedQueryNotSupported", code=NOT_PERSISTING)
        text = self._texts.get(id_)
        if text is None:
            raise Refusal(None, "PersistedQueryNotFound", code=NOT_PERSISTED)
        self._texts.move_to_end(id_)
        return text

    def _keep(self, id_: str, text: str) -> None:
        if id_ in self._texts:
            self._texts.move_to_end(id_)
        elif _weight(text) <= self.max_bytes:
            self._texts[id_] = text
            self.used_bytes += _weight(text)
            while self.used_bytes > self.max_bytes:
                self.used_bytes -= _weight(self._texts.popitem(last=False)[1])


@dataclass(frozen=True, slots=True)
class TrustedDocuments:
    """The only documents that are executed, by their ids."""

    are_trusted: ClassVar[bool] = True

    by_id: Mapping[str, str]
    texts: frozenset[str]

    def text(self, query: str | None, id_: str | None) -> str | None:
        """Give the document of a request. Raises Refusal for any that is not on the list."""
        if id_ is not None:
            text = self.by_id.get(id_)
            if text is None:
                raise Refusal(403, "No trusted document has this id.", code=NO_TRUSTED_ID)
            if query and query != text:
                raise Refusal(400, "The trusted document of this id is another than `query`.")
            return text
        if query is not None and query not in self.texts:
            raise Refusal(403, "Only trusted documents are executed; this is none of them.", code=NO_TRUSTED_TEXT)
        return query


Documents = PersistedDocuments | TrustedDocuments


def with_document(operation: Operation, documents: Documents) -> Operation:
    """Give an operation with its document, however it names that. Raises Refusal where there is none.

    Every way by which an operation comes in goes through here: so none leads past the trusted documents.
    """
    if operation.query and not documents.are_trusted and not operation.extensions and not operation.document_id:
        return operation
    text = documents.text(operation.query, _named_id(operation))
    if text is None:
        raise Refusal(400, "This is no GraphQL request: it has no `query`.")
    return operation if text is operation.query else msgspec.structs.replace(operation, query=text)


def _weight(text: str) -> int:
    return sys.getsizeof(text) + ENTRY_OVERHEAD


def _named_id(operation: Operation) -> str | None:
    """Read what a document is named by, a hash without its prefix. Raises Refusal where that is malformed."""
    persisted = (operation.extensions or {}).get("persistedQuery")
    by_hash = None if persisted is None else _hash(persisted)
    by_id = (operation.document_id or "").removeprefix(PREFIX) or None
    if by_hash is not None and by_id is not None and by_hash != by_id:
        raise Refusal(400, "`documentId` and `extensions.persistedQuery` name two documents.")
    return by_hash or by_id


def _hash(persisted: Any) -> str:
    match persisted:
        case {"version": 1, "sha256Hash": str() as hash_} if hash_:
            return hash_
    raise Refusal(400, "`extensions.persistedQuery` must have `version` 1 and a text as `sha256Hash`.")


class _ApolloOperation(msgspec.Struct):
    id: str
    body: str


class _ApolloManifest(msgspec.Struct):
    format: str
    version: int
    operations: list[_ApolloOperation]


def read_trusted(path: Path) -> TrustedDocuments:
    """Read a manifest: Apollo's, or Relay's map of ids to texts. Raises BadSettingsError for one that is neither."""
    try:
        documents = _read_manifest(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSettingsError([f"GATEWAY_TRUSTED_DOCUMENTS cannot be used: {_why(error)}."]) from error
    return TrustedDocuments(documents, frozenset(documents.values()))


def _why(error: Exception) -> str:
    return (error.strerror or "it cannot be read") if isinstance(error, OSError) else str(error)


def _read_manifest(body: bytes) -> dict[str, str]:
    outline = msgspec.json.decode(body, type=dict[str, Any])
    if outline.get("format") != APOLLO_FORMAT:
        return {id_.removeprefix(PREFIX): text for id_, text in msgspec.convert(outline, dict[str, str]).items()}
    if outline.get("version") != 1:
        raise msgspec.ValidationError("it is of a version other than 1")
    manifest = msgspec.convert(outline, _ApolloManifest)
    return {operation.id.removeprefix(PREFIX): operation.body for operation in manifest.operations}
