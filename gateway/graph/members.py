"""Members of upstream pages as a list of a GraphQL type, read from the pages when somebody reads the list."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

import msgspec

from gateway.cache.document import Document, part_of
from gateway.graph.document_type import DocumentType

T = TypeVar("T", bound=DocumentType)


@dataclass(frozen=True, slots=True)
class PageMembers(Sequence[T], Generic[T]):
    """Some members of some pages. `key` is where a page holds them, `kind` what they are as documents.

    graphql-core iterates it; a plan reads the same members from the pages' bytes at once.
    """

    type: type[T]
    kind: str
    key: str
    pages: Sequence[tuple[Document, Sequence[int]]]

    def __len__(self) -> int:
        return sum(len(places) for _, places in self.pages)

    def __iter__(self) -> Iterator[T]:
        for page, places in self.pages:
            yield from (self.type.of(member(page, self.key, self.kind, place)) for place in places)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: Any) -> Any:
        """Give a member, or some."""
        return list(self)[index]


def member(page: Document, key: str, kind: str, place: int) -> Document:
    """Give a member of a page as a document of its own, with the page's times."""
    members = page.made.get(key)
    if members is None:
        members = page.made[key] = msgspec.json.decode(page.body, type=dict[str, msgspec.Raw])[key]
        members = page.made[key] = msgspec.json.decode(members, type=list[msgspec.Raw])
    body = bytes(members[place])
    return part_of(page, kind, _id_of(body), body)


class _Identified(msgspec.Struct):
    id: str


def _id_of(body: bytes) -> str:
    return msgspec.json.decode(body, type=_Identified).id
