"""What fields can cause that lead from one source to another, and changes of what leads there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from gateway.graph.cost import Bill, Pages, Reads, SelectedField, Several


@dataclass(frozen=True, slots=True)
class FoundPages(Pages):
    """Answers a connection whose pages tell ids only; one call may bring `bulk` of what these stand for.

    Who is confined needs the document first that says whose the source is, `owned_by`.
    """

    bulk: int
    owned_by: str

    def charge(self, bill: Bill, source: Several, selected: SelectedField) -> Several:
        """Count the pages, and of each connection the members together; twice, as those at hand may be out of date.

        The members count in each place that asks for them, be it for the same: each looks through all of them.
        """
        if bill.confined:
            Reads(self.owned_by).charge(bill, source, selected)
        here = Pages.charge(self, bill, source, selected)
        each = -(-here.members // self.bulk) if bill.joined else here.members
        bill.load("members", selected.place, 2 * here.count * each)
        return here


@dataclass(frozen=True, slots=True)
class Points:
    """Answers another object, whose id the document tells; who is confined needs what says whose it is, `owned_by`."""

    arguments: ClassVar[Sequence[str]] = ()
    by_value: ClassVar[bool] = False

    owned_by: str

    def charge(self, bill: Bill, source: Several, selected: SelectedField) -> Several:
        """Count each as another object, as nobody knows which are the same."""
        bill.objects += source.count
        if bill.confined:
            bill.load(self.owned_by, selected.place, source.count)
        return Several(source.count, selected.place, None, source.count)


@dataclass(frozen=True, slots=True)
class ChangesEach:
    """Changes each of the things that an input's list names, once; `before` are the calls that this takes first."""

    by_value: ClassVar[bool] = True
    arguments: ClassVar[Sequence[str]] = ("input",)

    ids: str
    before: int

    def charge(self, bill: Bill, source: Several, selected: SelectedField) -> Several:
        """Count a call for each, and remember how many they are."""
        given = selected.given["input"].value(selected.variables)
        ids = given.get(self.ids) if isinstance(given, dict) else None
        count = len(ids) if isinstance(ids, list) else 1
        bill.calls += source.count * (self.before + count)
        bill.objects += source.count
        return Several(source.count, selected.place, None, source.count, count)


@dataclass(frozen=True, slots=True)
class Changed:
    """Answers what was changed, loaded anew; one call may bring `bulk`."""

    arguments: ClassVar[Sequence[str]] = ()
    by_value: ClassVar[bool] = False

    bulk: int

    def charge(self, bill: Bill, source: Several, selected: SelectedField) -> Several:
        """Count as many as were named."""
        count = source.count * source.members
        bill.objects += count
        bill.calls += bill.joint(count, source.steps, self.bulk)
        return Several(count, selected.place, None, source.steps)
