"""Operations by their text: prepared once, however often they are asked."""

import gc
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from graphql import (
    GraphQLSchema,
)

from gateway.engine.admission import Admission, refused_document
from gateway.engine.operation import Prepared
from gateway.engine.structs import let_go
from gateway.errors import AskedTooMuch

PLANNED_FIELDS = 500_000  # in the plans of all, which take some 300 bytes for each
COLLECT_AFTER = 1_000  # structs let go, of about 10 kB each, which hold themselves


@dataclass(slots=True)
class Operations:
    """The documents asked last, at most `most`; invalid ones are kept apart, for `invalid_for` seconds.

    Fewer are kept where their plans hold more than `most_planned` fields together.
    """

    schema: GraphQLSchema
    most: int = 1_000
    most_invalid: int = 100
    most_planned: int = PLANNED_FIELDS
    invalid_for: float = 10.0
    admission: Admission = field(default_factory=Admission)
    clock: Callable[[], float] = time.monotonic
    _valid: OrderedDict[str, Prepared] = field(default_factory=OrderedDict)
    _invalid: OrderedDict[str, tuple[float, Prepared]] = field(default_factory=OrderedDict)
    _collected: int = field(default_factory=let_go)
    _room: int = 0  # for planned fields, at least

    def find(self, text: str) -> Prepared:
        """The document of a text, prepared now when it was not before."""
        known = self._valid.get(text)
        if known is not None:
            self._valid.move_to_end(text)
            return known
        until, refused = self._invalid.get(text, (0.0, None))
        if refused is not None and self.clock() < until:
            return refused
        try:
            self.admission.limits.check_bytes(text)
        except AskedTooMuch as error:
            return refused_document(error)  # and not kept, for its size
        return self._keep(text, self.admission.prepare(self.schema, text))

    def __len__(self) -> int:
        return len(self._valid) + len(self._invalid)

    def _keep(self, text: str, prepared: Prepared) -> Prepared:
        if prepared.errors:
            self._invalid[text] = (self.clock() + self.invalid_for, prepared)
            self._invalid.move_to_end(text)
            while len(self._invalid) > self.most_invalid:
                self._invalid.popitem(last=False)
        else:
            self._valid[text] = prepared
            for operation in prepared.operations:
                operation.planned = self._plan
            while len(self._valid) > self.most:
                self._valid.popitem(last=False)
            if let_go() - self._collected >= COLLECT_AFTER:
                self._collected = let_go()
                gc.collect()
        return prepared

    def _plan(self, fields: int) -> None:
        """Count what one more plan holds; where all hold too much the oldest go, and a tenth is free then."""
        self._room -= fields
        if self._room >= 0:
            return
        planned = sum(prepared.planned_fields for prepared in self._valid.values())
        while self._valid and planned > 0.9 * self.most_planned:
            _, oldest = self._valid.popitem(last=False)
            planned -= oldest.planned_fields
        self._room = self.most_planned - planned
