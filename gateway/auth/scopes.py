"""What a caller may do: the scopes that the graph asks for, by their names."""

from collections.abc import Mapping

from gateway.auth.caller import EVERYTHING

SCOPES: Mapping[str, str] = {
    "scans:read": "every scan",
    "scans:read:own": "the scans whose `userToken` is the caller's own; all others are as if they did not exist",
    "assets:read": "assets",
    "assets:write": "locking and unlocking assets",
    "downloads:read": "download jobs and their archives",
    "downloads:write": "asking for files and archives, and what `downloads:read` is for",
    EVERYTHING: "everything",
}
