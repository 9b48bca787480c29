"""Which generation of a kind of document is kept: a new one is begun where all of the kind may have changed."""

import secrets
from dataclasses import dataclass, field

MOST_KINDS = 10_000  # what a longer ago generation began with has died meanwhile


@dataclass(slots=True)
class Generations:
    """Generations by the kinds, of one upstream and credential each, that have had more than the first."""

    current: dict[str, str] = field(default_factory=dict)
    _prefixes: dict[str, str] = field(default_factory=dict)

    def prefix(self, kind: str) -> str:
        """Give what the keys of a kind begin with."""
        prefix = self._prefixes.get(kind)
        if prefix is None:
            if len(self._prefixes) >= MOST_KINDS:
                self._prefixes.clear()
            prefix = self._prefixes[kind] = f"{kind}:{self.current.get(kind, '0')}:"
        return prefix

    def renew(self, kind: str) -> str:
        """Begin a generation that no process has had before, and give it."""
        generation = secrets.token_hex(4)
        self.take(kind, generation)
        return generation

    def take(self, kind: str, generation: str) -> bool:
        """Go on with a generation; False where it is the present one."""
        if self.current.get(kind) == generation:
            return False
        self.current.pop(kind, None)
        if len(self.current) >= MOST_KINDS:
            del self.current[next(iter(self.current))]
        self.current[kind] = generation
        self._prefixes.pop(kind, None)
        return True
