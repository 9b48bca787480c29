"""Assets by a tag: Scenario's search says which may bear it, and their own documents which do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.cache.document import Document
from gateway.errors import BadUserInput
from gateway.graph.paging import Page, Position, Run, Slice
from gateway.scenario.hits import Hits, bears

MAX_OFFSET_DIGITS = 7
FOUND = "0"  # the token of the first page of what is searched for
NOBODY = ""  # stands for a hit that is no asset of the page, and counts all the same


class _Bearer(msgspec.Struct):
    tags: Any = None


@dataclass(frozen=True, slots=True)
class Tagged:
    """What bears a tag, in any of these spellings, none of which holds a quote.

    `recent` are ids of what may have been given it too lately for search to know; they come first.
    """

    spellings: Sequence[str]
    recent: Sequence[str] = ()

    @property
    def filter(self) -> str:
        """The same in the language of search."""
        return " OR ".join(f'tags = "{spelling}"' for spelling in self.spellings)

    def is_on(self, asset: Document) -> bool:
        """Whether an asset bears it to the letter, which search does not promise."""
        try:
            return bears(msgspec.json.decode(asset.body, type=_Bearer).tags, self.spellings)
        except msgspec.ValidationError:
            return False

    def begin(self, start: Position) -> Position:
        """Where to begin: with what is searched for, where nothing comes before that."""
        return start if self.recent or start.token is not None else Position(FOUND, 0, start.size)

    def first_page(self) -> Page[str]:
        """What comes before anything that is searched for."""
        return Page(self.recent, FOUND)

    def page(self, hits: Hits) -> Page[str]:
        """A page of what was found; what came first does not come again."""
        ids = [NOBODY if id_ is None or id_ in self.recent else id_ for id_ in hits.ids]
        return Page(ids, None if hits.next_offset is None else str(hits.next_offset))


def offset_in(token: str) -> int:
    """Read the place of a cursor that is a page of hits. Raises BadUserInput for one of another connection."""
    if not token.isascii() or not token.isdigit() or len(token) > MAX_OFFSET_DIGITS:
        raise BadUserInput("`after` takes a cursor of this connection; this is none.")
    return int(token)


def with_documents(found: Slice[str], documents: Mapping[str, Document]) -> Slice[Document]:
    """Put assets in the place of their ids, each once; whose document there is none of is left out."""
    seen: set[str] = set()

    def places(run: Run[str]) -> Iterator[int]:
        for place in run.places:
            id_ = run.page.items[place]
            if id_ and id_ in documents and id_ not in seen:
                seen.add(id_)
                yield place

    def run_of(run: Run[str]) -> Run[Document]:
        items = [None if id_ is None else documents.get(id_) for id_ in run.page.items]
        return Run(run.position, Page(items, run.page.next_token), list(places(run)))

    return Slice([run_of(run) for run in found.runs], found.end, found.has_next, found.error)
