"""How long each kind of document stays true, in seconds."""

from dataclasses import dataclass

from gateway.cache.document import Lifetime


@dataclass(frozen=True, slots=True)
class Freshness:
    """The numbers of the README's table of freshness; each is a setting."""

    stages_moving: float = 2
    stages_final: float = 300
    stages_final_stale: float = 3_600
    urls_margin: float = 60
    urls_unknown: float = 30
    asset: float = 60
    asset_stale: float = 600
    page: float = 5
    page_stale: float = 30
    job_moving: float = 1
    job_final: float = 300

    def of_signed_urls(self, expires_at: float | None, now: float) -> Lifetime:
        """Signed URLs: until a margin before the first one dies, or a quarter of its life if that is shorter."""
        if expires_at is None:
            return Lifetime(self.urls_unknown)
        life = expires_at - now if expires_at > now else 0.0
        margin = self.urls_margin if self.urls_margin < life / 4 else life / 4
        return Lifetime(life - margin, expires_at=expires_at)
