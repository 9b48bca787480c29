"""How long each kind of document stays true, in seconds."""

from dataclasses import dataclass

from gateway.cache.document import Lifetime


@dataclass(frozen=True, slots=True)
class Freshness:
    """The settings `GATEWAY_FRESH_…` and `GATEWAY_STALE_…`, which say what each number is for."""

    stages_moving: float
    stages_final: float
    stages_final_stale: float
    urls_margin: float
    urls_unknown: float
    asset: float
    asset_stale: float
    page: float
    page_stale: float
    job_moving: float
    job_final: float

    def of_signed_urls(self, expires_at: float | None, now: float) -> Lifetime:
        """Signed URLs: until a margin before the first one dies, or a quarter of its life if that is shorter."""
        if expires_at is None:
            return Lifetime(self.urls_unknown)
        life = expires_at - now if expires_at > now else 0.0
        margin = self.urls_margin if self.urls_margin < life / 4 else life / 4
        return Lifetime(life - margin, expires_at=expires_at)
