"""Every setting, read once from the environment or a `.env` file; a field's name in capitals is its variable."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, HttpUrl, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Seconds = Annotated[float, Field(ge=0)]


class Settings(BaseSettings):
    """What an operator may decide. Frozen; times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, validate_default=True
    )

    prism_url: HttpUrl = Field(HttpUrl("https://api.hosted.prismlabs.tech"), description="Where Prism's Hosted API is.")
    prism_api_key: SecretStr = Field(description="The Bearer key that Prism issued.")

    scenario_url: HttpUrl = Field(HttpUrl("https://api.cloud.scenario.com/v1"), description="Where Scenario's API is.")
    scenario_api_key: SecretStr | None = Field(None, description="Scenario's API key; with `SCENARIO_API_SECRET`.")
    scenario_api_secret: SecretStr | None = Field(None, description="The secret of `SCENARIO_API_KEY`.")
    scenario_jwt: SecretStr | None = Field(None, description="A Scenario user's token, instead of key and secret.")
    scenario_public: bool = Field(
        default=False, description="Read Scenario's public assets only, without any credential."
    )
    scenario_project_id: str | None = Field(
        None, description="Scenario's project; the key's own one when left out.", min_length=1
    )

    gateway_host: str = Field("127.0.0.1", description="The address to listen on.")
    gateway_port: int = Field(8000, description="The port to listen on.", ge=1, le=65_535)
    gateway_graphiql: bool = Field(default=True, description="Serve GraphiQL to browsers at `/graphql`.")
    gateway_log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    gateway_report_calls: bool = Field(
        default=False, description="Tell in each answer's `extensions.upstreamCalls` what it took."
    )
    gateway_upstream_timeout: Seconds = Field(10, description="How long one upstream call may take.", gt=0)
    gateway_cache_bytes: int = Field(134_217_728, description="How large the document cache may grow.", ge=0)

    gateway_fresh_stages_moving: Seconds = Field(2, description="A scan that still changes: fresh for.")
    gateway_fresh_stages_final: Seconds = Field(300, description="A scan that is final: fresh for.")
    gateway_stale_stages_final: Seconds = Field(3_600, description="… and then served while one refresh runs, for.")
    gateway_fresh_urls_margin: Seconds = Field(60, description="Signed URLs: refetched so long before one dies.")
    gateway_fresh_urls_unknown: Seconds = Field(30, description="URLs that do not say when they die: fresh for.")
    gateway_fresh_asset: Seconds = Field(60, description="One asset: fresh for; never past its URLs' expiry.")
    gateway_stale_asset: Seconds = Field(600, description="… and then served while one refresh runs, for.")
    gateway_fresh_page: Seconds = Field(5, description="A page of assets: fresh for; never past its URLs' expiry.")
    gateway_stale_page: Seconds = Field(30, description="… and then served while one refresh runs, for.")
    gateway_fresh_job_moving: Seconds = Field(1, description="A download job that still changes: fresh for.")
    gateway_fresh_job_final: Seconds = Field(300, description="A download job that came to nothing: fresh for.")
    gateway_fresh_not_found: Seconds = Field(2, description="What an upstream does not have: remembered for.")

    @model_validator(mode="after")
    def _one_scenario_credential(self) -> Self:
        if self.scenario_api_key and self.scenario_api_secret:
            return self
        if self.scenario_api_key or self.scenario_api_secret:
            raise ValueError("SCENARIO_API_KEY and SCENARIO_API_SECRET go together; one of them is missing")
        if self.scenario_jwt or self.scenario_public:
            return self
        raise ValueError(
            "SCENARIO_API_KEY and SCENARIO_API_SECRET are missing; SCENARIO_JWT or SCENARIO_PUBLIC=true would do too"
        )


class BadSettingsError(Exception):
    """Settings that the gateway cannot start with; `lines` has one for each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read_settings(env_file: str | None = ".env", **given: Any) -> Settings:
    """Read the settings; what is `given` wins. Raises BadSettingsError with a line for each that is missing or bad."""
    try:
        return Settings(_env_file=env_file, **given)
    except ValidationError as error:
        raise BadSettingsError(
            [_line(problem["loc"], problem["type"], problem["msg"]) for problem in error.errors()]
        ) from None


def _line(place: tuple[int | str, ...], kind: str, message: str) -> str:
    """Say in one line what is wrong, never showing the value."""
    if not place:
        return message.removeprefix("Value error, ") + "."
    name = str(place[0])
    field = Settings.model_fields[name]
    if kind == "missing":
        return f"{name.upper()} is missing: {field.description}"
    return f"{name.upper()} cannot be used: {message}. {field.description}"
