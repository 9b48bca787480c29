"""The credentials that the sandbox accepts, and whose they are."""

import base64
from dataclasses import dataclass

from starlette.requests import Request

from gateway.sandbox import errors

PRISM_API_KEY = "sandbox-prism-api-key"
PUBLIC_AUTH_TOKEN = "public-auth-token"  # noqa: S105 - the documented literal, no secret

PROJECT_ID = "proj_SandboxProjectOne11111"
OTHER_PROJECT_ID = "proj_SandboxProjectTwo22222"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A Scenario API key with its secret; made up, and the same for every sandbox."""

    api_key: str
    api_secret: str
    project_id: str


KEY_PAIR = KeyPair("sandbox-scenario-api-key", "sandbox-scenario-api-secret", PROJECT_ID)
OTHER_KEY_PAIR = KeyPair("sandbox-other-api-key", "sandbox-other-api-secret", OTHER_PROJECT_ID)
SCENARIO_JWT = "sandbox-scenario-jwt"


def prism_allows(request: Request) -> bool:
    """Whether a Prism request bears the API key."""
    return request.headers.get("authorization") == f"Bearer {PRISM_API_KEY}"


def reader_of(request: Request) -> str | None:
    """The project a reading Scenario request speaks for, None for the public token; refusals as for `project_of`."""
    if request.headers.get("authorization") != PUBLIC_AUTH_TOKEN:
        return project_of(request)
    if "projectId" in request.query_params:
        raise errors.bare(403)
    return None


def project_of(request: Request) -> str:
    """The project a Scenario request speaks for.

    401 for an unknown credential, 403 for the public token and for a `projectId` of someone else's.
    """
    header = request.headers.get("authorization", "")
    if header == PUBLIC_AUTH_TOKEN:
        raise errors.bare(403)
    project_id = project_of_credential(header)
    if request.query_params.get("projectId", project_id) != project_id:
        raise errors.bare(403)
    return project_id


def project_of_credential(header: str) -> str:
    """The project behind a `Basic` or `Bearer` header; 401 when nobody is."""
    scheme, _, credential = header.partition(" ")
    if scheme == "Bearer" and credential == SCENARIO_JWT:
        return PROJECT_ID
    if scheme == "Basic":
        for pair in (KEY_PAIR, OTHER_KEY_PAIR):
            if decoded(credential) == f"{pair.api_key}:{pair.api_secret}":
                return pair.project_id
    raise errors.bare(401)


def decoded(credential: str) -> str:
    """What a Basic credential says; empty when it is not base64 of text."""
    try:
        return base64.b64decode(credential, validate=True).decode()
    except ValueError:
        return ""
