"""What a field can cause at most, declared where the field is: upstream calls, and objects in the answer.

    @strawberry.field(description=…, metadata=costs(Names("assetId", "asset", bulk=200)))
    def asset(self, asset_id: strawberry.ID) -> Asset | None: …

An upstream's document is counted once wherever it is certain to be the same one; what is part of a document is no
object of its own. What an upstream will answer is not known: pages are taken for full, and calls for such as succeed,
though a bulk call that is refused for one of its ids is made again for fewer.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

from gateway.errors import BadUserInput
from gateway.graph.paging import pages_of

ENTRY = object()  # the place where everything begins


class Estimate(NamedTuple):
    """How many upstream calls an operation can cause, and how many objects it can answer."""

    upstream_calls: int
    objects: int


@dataclass(frozen=True, slots=True)
class Several:
    """Objects in one place of an answer: how many, and the `keys` by which they are known, if they are.

    They come in so many `steps` at most; what one step asks for together is loaded together. Where they are
    connections, each has so many `members`.
    """

    count: int
    place: Hashable
    keys: Sequence[Hashable] | None = None
    steps: int = 1
    members: int = 0


@dataclass(slots=True)
class Bill:
    """What an operation comes to. Where calls are not `joined`, each document takes one of its own.

    It is `confined` for a caller who may see only what is their own, of what belongs to somebody.
    """

    joined: bool
    confined: bool
    calls: int = 0
    objects: int = 0
    _documents: dict[Hashable, int] = field(default_factory=dict)
    _together: dict[tuple[str, int], set[Hashable]] = field(default_factory=dict)

    def load(self, document: str, key: Hashable, calls: int = 1) -> None:
        """Count a document, or several that only their place tells apart, once."""
        self._documents[document, key] = max(calls, self._documents.get((document, key), 0))

    def load_together(self, document: str, keys: Iterable[Hashable], bulk: int) -> None:
        """Count documents that the first step of an operation asks for."""
        if bulk == 1:
            self._documents.update({(document, key): 1 for key in keys})
            return
        self._together.setdefault((document, bulk), set()).update(keys)

    def joint(self, count: int, steps: int, bulk: int) -> int:
        """How many calls load so many documents; each step may be taken twice, as a plan may be left halfway."""
        return min(count, 2 * steps + count // bulk) if self.joined else count

    def total(self) -> Estimate:
        """Add everything up."""
        together = sum(self.joint(len(keys), 1, bulk) for (_, bulk), keys in self._together.items())
        return Estimate(self.calls + sum(self._documents.values()) + together, self.objects)


class Given(Protocol):
    """An argument as it was given."""

    def value(self, variables: Mapping[str, Any]) -> Any:
        """What it comes to with these variables."""

    def keys(self, variables: Mapping[str, Any]) -> list[Hashable]:
        """What tells apart the things that it names: a value, or a variable, whichever value that has."""


class SelectedField(NamedTuple):
    """A field of a selection set; `text` is the same where all its arguments are, and `place` where it stands."""

    place: Hashable
    text: str
    given: Mapping[str, Given]
    variables: Mapping[str, Any]


class Cost(Protocol):
    """What a field can cause."""

    @property
    def arguments(self) -> Sequence[str]:
        """The arguments that matter to it."""

    @property
    def by_value(self) -> bool:
        """Whether their values do, or only what tells things apart, so that one variable is one thing."""

    def charge(self, bill: Bill, source: Several, selected: SelectedField) -> Several:
        """Put the field on the bill, for every object of its source; and say what it answers."""


@dataclass(frozen=True, slots=True)
class Names:
    """Answers what an argument names; each is a `document`, if any is needed, of which one call may bring `bulk`."""

    by_value: ClassVar[bool] = False

    argument: str
    document: str | None = None
    bulk: int = 1

    @property
    def arguments(self) -> Sequence[str]:
        """The ids."""
        return (self.argument,)

    def charge(self, bill: Bill, _source: Several, selected: SelectedField) -> Several:
        """Count each document once, and each place in a list as an object."""
        keys = selected.given[self.argument].keys(selected.variables)
        bill.objects += len(keys)
        if self.document is not None:
            bill.load_together(self.document, keys, self.bulk)
        return Several(len(keys), selected.place, keys, len(keys))


class Lookup(NamedTuple):
    """The document that it takes to find what an id names, if it takes any, and its key; one call may bring `bulk`."""

    document: str | None
    key: str
    bulk: int = 1


@dataclass(frozen=True, slots=True)
class Finds:
    """Answers what an argument names in a form of the graph's own; `find` says which document each takes, if any."""

    by_value: ClassVar[bool] = True

    argument: str
    find: Callable[[Any], Lookup | None]  # None for what names nothing

    @property
    def arguments(self) -> Sequence[str]:
        """The global ids, or whatever else names things."""
        return (self.argument,)

    def charge(self, bill: Bill, _source: Several, selected: SelectedField) -> Several:
        """Count each document once, and each place in a list as an object."""
        value = selected.given[self.argument].value(selected.variables)
        values = value if isinstance(value, list) else [value]
        bill.objects += len(values)
        lookups = [one for one in map(self.find, values) if one is not None]
        for one in lookups:
            if one.document is not None:
                bill.load_together(one.document, [one.key], one.bulk)
        return Several(len(values), selected.place, [one.key for one in lookups], len(values))


@dataclass(frozen=True, slots=True)
class Reads:
    """Needs a document of the object that the field is of, or one for each value of an argument; and another `also`.

    Who is confined needs the one first that says whose the object is, `owned_by`.
    """

    by_value: ClassVar[bool] = False

    document: str
    argument: str | None = None
    also: str | None = None
    owned_by: str | None = None

    @property
    def arguments(self) -> Sequence[str]:
        """What chooses among several documents, if anything does."""
        return () if self.argument is None else (self.argument,)

    def charge(self, bill: Bill, source: Several, selected: SelectedField) -> Several:
        """Count the document of each object once, whatever else is read from it."""
        chosen = () if self.argument is None else tuple(selected.given[self.argument].keys(selected.variables))
        first = self.owned_by if bill.confined else None
        for document in filter(None, (first, f"{self.document} {chosen}" if chosen else self.document, self.also)):
            if source.keys is None:
                bill.load(document, source.place, source.count)
            else:
                bill.load_together(document, source.keys, 1)
        return source


@dataclass(frozen=True, slots=True)
class Refers:
    """Answers another object, by an id that only the document tells; one call may bring `bulk`."""

    arguments: ClassVar[Sequence[str]] = ()
    by_value: ClassVar[bool] = False

    bulk: int

    def charge(self, bill: Bill, source: Several, selected: SelectedField) -> Several:
        """Count what the objects of one step point to as one call, and what comes of it as steps of their own."""
        bill.objects += source.count
        bill.calls += bill.joint(source.count, source.steps, self.bulk)
        return Several(source.count, selected.place, None, source.count)


@dataclass(frozen=True, slots=True)
class Pages:
    """Answers a connection, of `most` members, over an upstream's pages."""

    arguments: ClassVar[Sequence[str]] = ("first", "after")
    by_value: ClassVar[bool] = True

    most: int

    def charge(self, bill: Bill, source: Several, selected: SelectedField) -> Several:
        """Count full pages, from the place on at which it goes on."""
        first, pages = self.read(selected)
        if not pages:
            return Several(0, selected.place)  # the field refuses it
        bill.objects += source.count
        bill.load(f"page {selected.text}", source.place, source.count * pages)
        return Several(source.count, selected.place, None, source.count, first)

    def read(self, selected: SelectedField) -> tuple[int, int]:
        """How many members are asked for, and how many pages hold them; none for what cannot be asked."""
        first, after = (selected.given[name].value(selected.variables) for name in self.arguments)
        if not isinstance(first, int) or not 1 <= first <= self.most:
            return 0, 0
        try:
            return first, pages_of(first, after)
        except BadUserInput:
            return 0, 0


@dataclass(frozen=True, slots=True)
class Members:
    """Answers the members of a connection."""

    arguments: ClassVar[Sequence[str]] = ()
    by_value: ClassVar[bool] = False

    def charge(self, bill: Bill, source: Several, selected: SelectedField) -> Several:
        """Count as many as were asked for; those of one connection come together."""
        count = source.count * source.members
        bill.objects += count
        return Several(count, selected.place, None, source.steps)


@dataclass(frozen=True, slots=True)
class Calls:
    """Makes so many calls: a change, or a look at what is subscribed to."""

    arguments: ClassVar[Sequence[str]] = ()
    by_value: ClassVar[bool] = False

    calls: int = 1

    def charge(self, bill: Bill, source: Several, selected: SelectedField) -> Several:
        """Count them each time that the field stands there."""
        bill.calls += self.calls * source.count
        bill.objects += source.count
        return Several(source.count, selected.place, None, source.count)


@dataclass(frozen=True, slots=True)
class Again:
    """Answers under another name what its object has answered: an object more, as no other bounds how often."""

    arguments: ClassVar[Sequence[str]] = ()
    by_value: ClassVar[bool] = False

    def charge(self, bill: Bill, source: Several, _selected: SelectedField) -> Several:
        """Count each."""
        bill.objects += source.count
        return source


def costs(cost: Cost) -> dict[Any, Any]:
    """Give the metadata of a field that says what it can cause."""
    return {Cost: cost}
