"""Assets by a tag: Scenario's search says which may bear it, and their own documents which do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.cache.document import Document
from gateway.errors import BadUserInput
from gateway.graph.paging import Page, Position, Run, Slice
from gateway.scenario.hits import Hits, bears
from gateway.scenario.order import AssetOrder, mark_of

MAX_OFFSET_DIGITS = 7
MAX_SHOWN = 400  # of what is recent; so many marks fit into a cursor
FOUND = "0"  # begins the token of the first page of what is searched for
NOBODY = ""  # stands for a hit that is no asset of the page, and counts all the same


class _Bearer(msgspec.Struct):
    tags: Any = None


@dataclass(frozen=True, slots=True)
class Tagged:
    """What bears a tag, in any of these spellings, none of which holds a quote.

    `recent` are ids of what may have been given it too lately for search to know; they come first. A page's token is
    `OFFSET.MARK.MARK…`: the offset among the hits, empty while it is still among the recent ones, and a mark of each
    recent one that has come. So whoever goes on, be it elsewhere or later, leaves out these, and nothing else.
    """

    spellings: Sequence[str]
    recent: Sequence[str]

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
        """Where to begin: with what is searched for, where nothing is left to come before that.

        A cursor of old tells an index of what is recent, and no token: it begins again.
        """
        token = start.token or ""
        if not is_of_recent(token):
            return start
        return Position(FOUND + token if self._next(token) is None else token, 0, start.size)

    def recent_page(self, token: str) -> Page[str]:
        """The next of what is recent, alone, so that the token after it can tell of it; nothing after the last."""
        id_ = self._next(token)
        return Page([], FOUND + token) if id_ is None else Page([id_], f"{token}.{mark_of(id_)}")

    def _next(self, token: str) -> str | None:
        shown = marks_in(token)
        if len(shown) >= MAX_SHOWN:
            return None
        return next((id_ for id_ in self.recent if mark_of(id_) not in shown), None)

    def page(self, token: str, hits: Hits) -> Page[str]:
        """A page of what was found; what came first does not come again."""
        shown = marks_in(token)
        ids = [NOBODY if id_ is None or (shown and mark_of(id_) in shown) else id_ for id_ in hits.ids]
        _, dot, marks = token.partition(".")
        next_token = None if hits.next_offset is None else f"{hits.next_offset}{dot}{marks}"
        return Page(ids, next_token, AssetOrder(hits.ids, hits.created, descending=True) if hits.created else None)


def is_of_recent(token: str) -> bool:
    """Whether a token leads to what comes before anything that is searched for."""
    return token == "" or token.startswith(".")


def marks_in(token: str) -> frozenset[str]:
    """The marks of what came as recent before."""
    return frozenset(token.split(".")[1:])


def offset_in(token: str) -> int:
    """Read the place of a token that is of a page of hits. Raises BadUserInput for one of another connection."""
    offset = token.partition(".")[0]
    if not offset.isascii() or not offset.isdigit() or len(offset) > MAX_OFFSET_DIGITS:
        raise BadUserInput("`after` takes a cursor of this connection; this is none.")
    return int(offset)


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
        return Run(run.position, Page(items, run.page.next_token, run.page.order), list(places(run)))

    return Slice([run_of(run) for run in found.runs], found.end, found.has_next, found.error)
