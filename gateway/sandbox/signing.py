"""URLs that expire, in the forms of S3 and CloudFront, and the check of what comes back."""

import base64
import binascii
import calendar
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from gateway.sandbox.errors import xml
from gateway.sandbox.moments import DAY, HOUR, utc

SECRET = b"sandbox-signing-secret"
S3_EXPIRES = int(HOUR)
AMZ_DATE = "%Y%m%dT%H%M%SZ"
KEY_PAIR_ID = "SANDBOXKEYPAIR"
CLOUDFRONT_PARAMETERS = ("Policy", "Key-Pair-Id", "Signature")
CLOUDFRONT_BASE64 = str.maketrans("+=/", "-_~")
STANDARD_BASE64 = str.maketrans("-_~", "+=/")

# A URL signed on a day up to the first number lives to the end of the second; 0 is the last day of the month.
WINDOWS = ((7, 14), (14, 21), (21, 0))
FIRST_WINDOW = 7


class S3:
    """Signs and checks as S3 does with query parameters (SigV4): good for an hour from the second of signing."""

    def __init__(self, clock: Callable[[], float], url: str) -> None:
        self._clock = clock
        self._url = url

    def sign(self, path: str) -> str:
        """A URL for a path such as `/s3/scans/1/model`, different from second to second."""
        now = utc(self._clock())
        parameters = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"SANDBOXACCESSKEY/{now:%Y%m%d}/us-east-2/s3/aws4_request",
            "X-Amz-Date": now.strftime(AMZ_DATE),
            "X-Amz-Expires": str(S3_EXPIRES),
            "X-Amz-SignedHeaders": "host",
        }
        query = urlencode({**parameters, "X-Amz-Signature": s3_signature(path, parameters)})
        return f"{self._url}{quote(path)}?{query}"

    def check(self, path: str, query: str) -> None:
        """Refuse with 403 what was not signed here, or has expired."""
        parameters = dict(parse_qsl(query))
        signature = parameters.pop("X-Amz-Signature", "")
        if not hmac.compare_digest(signature.encode(), s3_signature(path, parameters).encode()):
            raise xml(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        signed = datetime.strptime(parameters["X-Amz-Date"], AMZ_DATE).replace(tzinfo=UTC).timestamp()
        if self._clock() >= signed + int(parameters["X-Amz-Expires"]):
            raise xml(403, "AccessDenied", "Request has expired")


class CloudFront:
    """Signs and checks as CloudFront does with a custom policy: the same URL until the calendar's next end."""

    def __init__(self, clock: Callable[[], float], url: str) -> None:
        self._clock = clock
        self._url = url

    def sign(self, path: str) -> str:
        """A URL for a path such as `/cdn/assets/asset_1`; a client may append parameters to it."""
        policy = policy_of(f"{self._url}{path}?p=100*", expiry(self._clock()))
        signature = cloudfront_signature(policy)
        return f"{self._url}{path}?p=100&Policy={policy}&Key-Pair-Id={KEY_PAIR_ID}&Signature={signature}"

    def check(self, path: str, query: str) -> None:
        """Refuse with 403 what was not signed here, or has expired."""
        parameters = dict(parse_qsl(query))
        policy = parameters.get("Policy", "")
        signature = parameters.get("Signature", "")
        if "Key-Pair-Id" not in parameters:
            raise xml(403, "MissingKey", "Missing Key-Pair-Id query parameter or cookie value")
        if not hmac.compare_digest(signature.encode(), cloudfront_signature(policy).encode()):
            raise xml(403, "AccessDenied", "Access denied")
        statement = read_policy(policy)["Statement"][0]
        if not f"{self._url}{path}?{unsigned(query)}".startswith(statement["Resource"].removesuffix("*")):
            raise xml(403, "AccessDenied", "Access denied")
        if self._clock() >= statement["Condition"]["DateLessThan"]["AWS:EpochTime"]:
            raise xml(403, "AccessDenied", "Access denied")


def s3_signature(path: str, parameters: Mapping[str, str]) -> str:
    """64 hexadecimal digits over a path and its parameters in order of name."""
    return hmac.new(SECRET, f"{path}?{urlencode(sorted(parameters.items()))}".encode(), hashlib.sha256).hexdigest()


def expiry(now: float) -> int:
    """When a Scenario URL signed now expires, in epoch seconds: 23:59:59 UTC on the 7th, 14th, 21st or last day."""
    day = utc(now)
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    last = calendar.monthrange(day.year, day.month)[1]
    for until, end in WINDOWS:
        if day.day <= until:
            return end_of(midnight.replace(day=end or last))
    return end_of(midnight.replace(day=last) + timedelta(days=FIRST_WINDOW))


def end_of(midnight: datetime) -> int:
    """The last second of a day."""
    return int(midnight.timestamp() + DAY) - 1


def policy_of(resource: str, expires: int) -> str:
    """A custom policy in CloudFront's base64."""
    statement = {"Resource": resource, "Condition": {"DateLessThan": {"AWS:EpochTime": expires}}}
    return cloudfront_base64(msgspec.json.encode({"Statement": [statement]}))


def read_policy(policy: str) -> Any:
    """What a policy says, as JSON."""
    return msgspec.json.decode(base64.b64decode(policy.translate(STANDARD_BASE64)))


def cloudfront_signature(policy: str) -> str:
    """The signature of a policy in CloudFront's base64."""
    return cloudfront_base64(hmac.digest(SECRET, policy.encode(), "sha256"))


def cloudfront_base64(raw: bytes) -> str:
    """Base64 with the three characters swapped that mean something in a URL."""
    return binascii.b2a_base64(raw, newline=False).decode().translate(CLOUDFRONT_BASE64)


def unsigned(query: str) -> str:
    """A query without the parameters of its signature: what the policy's resource is compared with."""
    return "&".join(part for part in query.split("&") if part.partition("=")[0] not in CLOUDFRONT_PARAMETERS)
