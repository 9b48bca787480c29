"""Every setting, with its bounds and what it is for; a field's name in capitals is its variable (environment.py)."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, Field, FilePath, SecretStr
from pydantic_core import PydanticCustomError

from gateway.access import AccessSettings, KeysAddress, is_loopback
from gateway.limits import CostLimits, DocumentLimits, RequestLimits

DOCUMENT, REQUEST, COST = DocumentLimits(), RequestLimits(), CostLimits()
REDIS = ("redis://", "rediss://", "unix://")

Limits = TypeVar("Limits", DocumentLimits, RequestLimits)
Rate = Annotated[int, Field(ge=0, le=2**31 - 1)]


def _redis(url: SecretStr) -> SecretStr:
    if url.get_secret_value().startswith(REDIS):
        return url
    raise PydanticCustomError("redis", "It must begin with redis://, rediss:// or unix://")


def _all_are(pattern: str, complaint: str) -> AfterValidator:
    """Refuse words that would stand for nothing, as a comma between two."""

    def check(words: str) -> str:
        if all(re.fullmatch(pattern, word) for word in words.split()):
            return words
        raise PydanticCustomError("words", complaint)

    return AfterValidator(check)


Origins = Annotated[
    str,
    _all_are(
        r"\*|null|[a-z][a-z0-9+.-]*://[^*/,A-Z]+",
        "It may hold origins as https://app.example, in small letters and between spaces",
    ),
]
Hosts = Annotated[
    str,
    _all_are(
        r"\[[0-9a-f:.]+\]|[^*/,:A-Z]+",
        "It may hold names of hosts without ports, in small letters and between spaces",
    ),
]
UpstreamNames = Annotated[str, _all_are("prism|scenario", "It may name prism and scenario only")]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis)]
TagPrefix = Annotated[str, Field(pattern=r"^[a-z0-9._:/~-]{1,64}$")]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
DayAtMost = Annotated[float, Field(ge=0, le=86_400)]  # for what the system counts in milliseconds, by an `int` of C


class _Whose(BaseModel):
    """Whose credentials open the upstreams: fields that stand before those of one tenant, which depend on them."""

    gateway_auth: Literal["open", "api-key", "jwt", "pass-through"] = Field(
        "open",
        description=(
            "Who is let in: open (everyone, on loopback only), api-key, jwt, or pass-through (whoever brings"
            " credentials of their own for the upstreams)."
        ),
    )
    gateway_tenants_file: FilePath | None = Field(
        None, description="A TOML file of tenants, each with credentials of its own, instead of those below."
    )
    gateway_own_credentials: int = Field(
        1_000, description="Of how many clients who bring their own credentials these are kept at hand.", ge=1
    )


class Settings(AccessSettings, _Whose):
    """What an operator may decide. Frozen; times are in seconds, sizes in bytes."""

    prism_rate: int = Field(
        0, description="Calls a minute that Prism is thought to allow, until it says; 0 is any number.", ge=0
    )
    scenario_rate: int = Field(
        100,
        description="Calls a minute that Scenario is thought to allow, until it says: polls leave a quarter to people.",
        ge=0,
    )

    gateway_host: str = Field("127.0.0.1", description="The address to listen on.")
    gateway_port: int = Field(8000, description="The port to listen on; 0 is any free one.", ge=0, le=65_535)
    gateway_graphiql: bool | None = Field(
        default=None,
        description="Serve GraphiQL to browsers at `/graphql`; when left out, where it listens on loopback.",
    )
    gateway_federation: bool = Field(
        default=False, description="Be a subgraph of Apollo Federation 2: answer `_service` and `_entities` too."
    )
    gateway_incremental: bool = Field(
        default=False, description="Answer `@defer` and `@stream` in parts, for clients that take them."
    )
    gateway_log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that is logged: debug, info, warning or error."
    )
    gateway_log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="How it is logged: json, text, or auto, which is text on a terminal and JSON elsewhere."
    )
    gateway_log_requests: bool = Field(default=False, description="Log each request, at level info.")
    gateway_server_timing: bool = Field(
        default=False, description="Tell in each answer's `Server-Timing` header how long it took, and the upstreams."
    )
    gateway_metrics_port: int | None = Field(
        None, description="Serve Prometheus metrics at `/metrics` on this port; 0 is any free one.", ge=0, le=65_535
    )
    gateway_metrics_host: str = Field("127.0.0.1", description="The address to serve metrics on.")
    gateway_metrics_operations: int = Field(
        100, description="How many names of operations metrics tell apart; the others are one.", ge=0
    )
    gateway_report_calls: bool = Field(
        default=False, description="Tell in each answer's `extensions.upstreamCalls` what it took."
    )
    gateway_plans: bool = Field(
        default=True,
        description="Answer by compiled plans; without them graphql-core reads, validates and executes all.",
    )
    gateway_operations: int = Field(
        1_000, description="How many operations are kept parsed and planned; fewer where they are large.", ge=0
    )
    gateway_answers: bool = Field(
        default=False,
        description="Answer a request that comes again byte for byte before it is parsed, while it is true.",
    )
    gateway_persisted_bytes: int = Field(
        16_777_216, description="How large the store of automatic persisted queries may grow; 0 takes none.", ge=0
    )
    gateway_trusted_documents: FilePath | None = Field(
        None, description="A manifest of Apollo's or Relay's; no other document is executed then."
    )
    gateway_client_refresh: bool = Field(
        default=True, description="Let a client's `Cache-Control: no-cache` or `max-age` pass by what is kept here too."
    )
    gateway_compress_from: int = Field(
        8_192, description="The smallest answer that is compressed, for clients that take it; 0 compresses none.", ge=0
    )
    gateway_deadline: Seconds = Field(
        10, description="How long an operation may wait for upstreams; `Prefer: wait=` asks for less.", gt=0
    )
    gateway_upstream_timeout: Seconds = Field(10, description="How long one upstream request may take.", gt=0)
    gateway_upstream_connect_timeout: Seconds = Field(
        2, description="How long a connection to an upstream may take to be there.", gt=0
    )
    gateway_upstream_connections: int = Field(
        100, description="How many requests to one upstream may be under way at once; fewer while it is slow.", ge=1
    )
    gateway_upstream_head_bytes: int = Field(65_536, description="How long the head of an answer may be.", ge=1)
    gateway_upstream_body_bytes: int = Field(
        16_777_216, description="How large an upstream's answer may be, as it comes and unpacked.", ge=1
    )
    gateway_retries: int = Field(
        3, description="How often a read that failed, or is slow, is tried again.", ge=0, le=10
    )
    gateway_retry_share: float = Field(
        0.24, description="How many retries there may be, as a share of the calls.", ge=0, le=1
    )
    gateway_hedge: bool = Field(
        default=False, description="Leave a slow read running beside the one that is tried for it."
    )
    gateway_slow_from: Seconds = Field(
        0.25, description="A read is not taken for slow before this, however quick others are.", gt=0
    )
    gateway_breaker_calls: int = Field(
        20,
        description="Of how many of the last requests failures are counted; 0 never leaves an upstream alone.",
        ge=0,
        le=1_000,
    )
    gateway_breaker_share: float = Field(
        0.8, description="The share of failures from which an upstream is left alone.", gt=0, le=1
    )
    gateway_breaker_rest: Seconds = Field(
        1, description="How long it is left alone before a single request finds out whether it is back.", gt=0
    )
    gateway_required_upstreams: UpstreamNames | None = Field(
        None, description="Upstreams without which `/readyz` says no, between spaces: prism, scenario."
    )
    gateway_unready_after: Seconds = Field(
        30,
        description="How long a required upstream must have been left alone for that, and a call have shown it.",
        gt=0,
    )
    gateway_link_tag: TagPrefix = Field(
        "prism-scan:", description="Links: what the tag of an asset begins with that ends in its scan's id."
    )
    gateway_cache_bytes: int = Field(134_217_728, description="How large the document cache may grow.", ge=0)
    gateway_redis_url: RedisUrl | None = Field(
        None, description="A Redis or Valkey, by which gateways share documents, changes, watches and rates."
    )
    gateway_redis_timeout: Seconds = Field(
        0.1, description="How long Redis is waited for; then it is left alone until it answers again.", gt=0, le=5
    )

    gateway_fresh_stages_moving: Seconds = Field(2, description="A scan that still changes: fresh for.")
    gateway_fresh_stages_final: Seconds = Field(300, description="A scan that is final: fresh for.")
    gateway_stale_stages_final: Seconds = Field(
        3_600, description="A scan that is final: served stale for, while one refresh runs."
    )
    gateway_fresh_urls_margin: Seconds = Field(60, description="Signed URLs: refetched so long before one dies.")
    gateway_fresh_urls_unknown: Seconds = Field(30, description="URLs that do not say when they die: fresh for.")
    gateway_fresh_asset: Seconds = Field(60, description="One asset: fresh for; never past its URLs' expiry.")
    gateway_stale_asset: Seconds = Field(600, description="One asset: served stale for, while one refresh runs.")
    gateway_fresh_page: Seconds = Field(5, description="A page of assets: fresh for; never past its URLs' expiry.")
    gateway_stale_page: Seconds = Field(30, description="A page of assets: served stale for, while one refresh runs.")
    gateway_fresh_job_moving: Seconds = Field(1, description="A download job that still changes: fresh for.")
    gateway_fresh_job_final: Seconds = Field(300, description="A download job that came to nothing: fresh for.")
    gateway_fresh_not_found: Seconds = Field(2, description="What an upstream does not have: remembered for.")

    gateway_watch_shortest: Seconds = Field(
        2, description="Subscriptions: an upstream is asked again this long after a change.", gt=0
    )
    gateway_watch_longest: Seconds = Field(
        30, description="Subscriptions: the longest that such an interval grows to, while nothing changes.", gt=0
    )
    gateway_watch_growth: float = Field(
        1.5, description="Subscriptions: how many times longer it is after each that brought no change.", ge=1, le=10
    )
    gateway_watch_jitter: float = Field(
        0.1, description="Subscriptions: the share of each interval that is left out at random, at most.", ge=0, lt=1
    )
    gateway_watch_documents: int = Field(
        1_000, description="Subscriptions: how many scans and jobs may be watched at once.", ge=0
    )
    gateway_watch_subscribers: int = Field(10_000, description="Subscriptions: how many may be open at once.", ge=0)

    gateway_heartbeat: DayAtMost = Field(
        30,
        description="Streams: who vanished is let go within this, and who is there hears something twice as often.",
        gt=0,
    )
    gateway_websocket_connections: int = Field(10_000, description="WebSocket: how many may be open at once.", ge=0)
    gateway_websocket_operations: int = Field(
        100, description="WebSocket: how many operations a connection may have under way.", ge=1
    )
    gateway_websocket_message_bytes: int = Field(
        1_048_576, description="WebSocket: how large a client's message may be.", ge=1
    )
    gateway_websocket_init_timeout: Seconds = Field(
        10, description="WebSocket: how long a client may take to begin with `connection_init`.", gt=0
    )
    gateway_websocket_origins: Origins | None = Field(
        None,
        description="WebSocket: origins whose pages may connect beside the gateway's own, between spaces; `*` is any.",
    )
    gateway_websocket_legacy: bool = Field(
        default=False, description="WebSocket: speak the old subprotocol `graphql-ws` too."
    )

    gateway_workers: int = Field(1, description="How many processes answer; `--workers` wins.", ge=1, le=256)
    gateway_keep_alive: DayAtMost = Field(
        75,
        description="Connections: how long one may rest between requests; set it above what a proxy before it waits.",
        gt=0,
    )
    gateway_drain_grace: DayAtMost = Field(
        2, description="At its end: not ready for so long, but still accepting, so that requests are sent elsewhere."
    )
    gateway_drain_timeout: DayAtMost = Field(
        20, description="At its end: what is under way may then take so long.", gt=0
    )
    gateway_max_requests: int = Field(
        500, description="Overload: how many requests each process may have under way; more are answered 503.", ge=1
    )
    gateway_overload_after: Seconds = Field(
        0.3,
        description="Overload: once requests have had to wait for their turns for so long on end, some get a 503.",
    )

    gateway_max_document_bytes: int = Field(
        DOCUMENT.document_bytes, description="Documents: the longest that is read.", ge=1
    )
    gateway_max_tokens: int = Field(
        DOCUMENT.tokens,
        description="Documents: how many tokens; none is read after them. Comments are counted apart, to as many.",
        ge=1,
    )
    gateway_max_definitions: int = Field(
        DOCUMENT.definitions, description="Documents: how many operations and fragments.", ge=1
    )
    gateway_max_depth: int = Field(
        DOCUMENT.depth, description="Documents: how deep fields may stand in each other, or lists and objects.", ge=1
    )
    gateway_max_fields: int = Field(
        DOCUMENT.fields,
        description="Documents: how many fields, with every fragment in the place where it is spread.",
        ge=1,
    )
    gateway_max_root_fields: int = Field(
        DOCUMENT.root_fields, description="Documents: how many fields an operation may begin with.", ge=1
    )
    gateway_max_aliases: int = Field(DOCUMENT.aliases, description="Documents: how many aliases.", ge=1)
    gateway_max_directives: int = Field(DOCUMENT.directives, description="Documents: how many directives.", ge=1)
    gateway_max_fragments: int = Field(
        DOCUMENT.fragments, description="Documents: how often fragments may be spread.", ge=1
    )
    gateway_max_values: int = Field(
        DOCUMENT.values, description="Documents: how many values written there, each in a list or an object too.", ge=1
    )
    gateway_max_merges: int = Field(
        DOCUMENT.merges,
        description="Documents: pairs of fields under one name in one place, each of which validation compares.",
        ge=1,
    )
    gateway_max_introspection: int = Field(
        DOCUMENT.introspection,
        description="Documents: values of the schema that one asks for; some 7,000 are the whole schema.",
        ge=1,
    )

    gateway_max_body_bytes: int = Field(REQUEST.body_bytes, description="Requests: the longest body.", ge=1)
    gateway_max_url_bytes: int = Field(REQUEST.url_bytes, description="Requests: the longest URL.", ge=1)
    gateway_max_header_bytes: int = Field(
        REQUEST.header_bytes, description="Requests: how long all headers may be together, with the URL.", ge=1
    )
    gateway_max_arrival_seconds: int = Field(
        REQUEST.arrival_seconds, description="Requests: how long one may take to arrive.", ge=1
    )
    gateway_max_variables_bytes: int = Field(
        REQUEST.variables_bytes, description="Variables: how long they may be together, in JSON.", ge=1
    )
    gateway_max_variables_depth: int = Field(
        REQUEST.variables_depth, description="Variables: how many lists and objects may stand in each other.", ge=1
    )
    gateway_max_list_items: int = Field(
        REQUEST.list_items, description="Variables: the longest list, or largest object.", ge=1
    )

    gateway_max_upstream_calls: int = Field(
        COST.upstream_calls,
        description="Operations: how many upstream calls each could cause at most, before any is made.",
        ge=1,
    )
    gateway_max_objects: int = Field(
        COST.objects, description="Operations: how many objects each could answer at most.", ge=1
    )

    gateway_rate_requests: Rate | None = Field(
        None, description="Rates: a caller's requests a minute; left out 1,200, and any number for who is not known."
    )
    gateway_rate_upstream_calls: Rate | None = Field(
        None, description="Rates: upstream calls that a caller may cause a minute; left out 600, likewise."
    )
    gateway_rate_objects: Rate | None = Field(
        None, description="Rates: objects that a caller may be answered a minute; left out 100,000, likewise."
    )
    gateway_rate_tenant_requests: Rate = Field(
        0, description="Rates: requests a minute of all callers of a tenant together; 0 is any number."
    )
    gateway_rate_headers: bool = Field(
        default=False,
        description="Rates: tell in each answer's `RateLimit` header how many requests are left; a stream has none.",
    )

    gateway_introspection: bool = Field(default=True, description="Let clients ask for the schema.")
    gateway_suggestions: bool = Field(
        default=True, description="Answer a name that does not exist with those that are like it."
    )
    gateway_hosts: Hosts | None = Field(
        None, description="The names by which the gateway may be asked, between spaces; any when left out."
    )
    gateway_origins: Origins | None = Field(
        None, description="Origins whose pages may ask over HTTP (CORS), between spaces; `*` is any."
    )

    gateway_api_keys: FilePath | None = Field(
        None, description="The file of API keys, which `gateway key new` writes; read again when it changes."
    )
    gateway_jwt_jwks_url: KeysAddress | None = Field(
        None, description="Tokens: where the issuer's JWK Set is, by https or on loopback."
    )
    gateway_jwt_key_file: FilePath | None = Field(
        None, description="Tokens: a public key in PEM, or a JWK Set, instead of the URL."
    )
    gateway_jwt_issuer: str | None = Field(None, description="Tokens: their `iss`.")
    gateway_jwt_audience: str | None = Field(
        None, description="Tokens: what is taken as their `aud`, between spaces; one of them must be there."
    )
    gateway_jwt_leeway: Seconds = Field(30, description="Tokens: how far the issuer's clock may be from this one.")
    gateway_jwt_bytes: int = Field(8_192, description="Tokens: the longest.", ge=1)
    gateway_jwt_subject: str = Field("sub", description="Tokens: the claim that says who asks.", min_length=1)
    gateway_jwt_scopes: str = Field(
        "scope", description="Tokens: the claim with the scopes, in a text between spaces or in a list.", min_length=1
    )
    gateway_jwt_tenant: str | None = Field(None, description="Tokens: the claim that says for which tenant.")
    gateway_jwt_owner: str | None = Field(
        None, description="Tokens: the claim that is the `userToken` of the caller's own scans."
    )
    gateway_jwks_fresh: Seconds = Field(300, description="The JWK Set: fetched again when older.")
    gateway_jwks_cooldown: Seconds = Field(
        10, description="The JWK Set: the shortest time between two fetches, whatever keys tokens name.", gt=0
    )

    @property
    def secrets(self) -> list[str]:
        """Every secret among the settings."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return [value.get_secret_value() for value in values if isinstance(value, SecretStr)]

    @property
    def shows_graphiql(self) -> bool:
        """Whether GraphiQL is served: where it is asked for, or nobody but this machine can see it."""
        if self.gateway_graphiql is None:
            return self.is_on_loopback
        return self.gateway_graphiql

    @property
    def longest_drain(self) -> float:
        """The seconds that it takes to end, at most."""
        return self.gateway_drain_grace + self.gateway_drain_timeout

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.gateway_host)

    @classmethod
    def needs_credentials(cls, given: Mapping[str, Any]) -> bool:
        """Whether the environment must have them: not where clients do, or a file, even one that cannot be read."""
        return given.get("gateway_auth") != "pass-through" and given.get("gateway_tenants_file", given) is None

    def cost_limits(self, *, joined: bool) -> CostLimits:
        """How much an operation may cause at most, where nothing else is set for a tenant."""
        return CostLimits(self.gateway_max_upstream_calls, self.gateway_max_objects, joined)

    @property
    def rates(self) -> dict[str, int | None]:
        """What callers may do in a minute, by the names of `RateLimits`; None where that is left out."""
        names = ("requests", "upstream_calls", "objects", "tenant_requests")
        return {name: getattr(self, f"gateway_rate_{name}") for name in names}

    def limits(self, kind: type[Limits]) -> Limits:
        """The limits of one kind, each from the setting of its name."""
        return kind(**{one.name: getattr(self, f"gateway_max_{one.name}") for one in fields(kind)})


class BadSettingsError(Exception):
    """Settings that the gateway cannot start with; `lines` has one for each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
