"""What an upstream's refusal says, whatever shape its body has."""

import json
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.upstream.refusals import MAX_MESSAGE, read_message, read_retry_after

NOW = 1_790_000_000.0

JSON_SHAPES = [
    ("Job job_1 not found", "Job job_1 not found"),
    (["modelId must be a string", "seed must be a number"], "modelId must be a string; seed must be a number"),
    ([["deep"], [], {"message": "deeper"}], "deep; deeper"),
    ({"message": "Forbidden"}, "Forbidden"),
    ({"message": {"error": {"reason": "in a nest"}}}, "in a nest"),
    ({"statusCode": 404, "message": "Scan not found", "error": "Not Found"}, "Scan not found"),
    ({"statusCode": 400, "message": ["id must be a UUID", "x"], "error": "Bad Request"}, "id must be a UUID; x"),
    ({"statusCode": 401, "message": "Unauthorized"}, "Unauthorized"),
    ({"status": "error", "code": "NOT_FOUND", "message": "Asset asset_1 not found"}, "Asset asset_1 not found"),
    ({"status": "error", "code": "NOT_FOUND"}, "NOT_FOUND"),
    ({"error": "Quota exceeded for search", "code": "QUOTA_EXCEEDED"}, "Quota exceeded for search"),
    ({"error": {"message": "inside", "code": 3}}, "inside"),
    ({"reason": "ModelAccessRestrictedError", "modelId": "model_1"}, "ModelAccessRestrictedError"),
    ({"statusCode": 422, "errorSlug": "invalid", "message": "No", "details": [{"msg": "x"}]}, "No"),
    ({"statusCode": 422, "errorSlug": "invalid", "details": [{"loc": ["weight"], "msg": "too low"}]}, "too low"),
    ({"statusCode": 422, "errorSlug": "invalid", "details": []}, "invalid"),
    ({"message": "Too many", "details": {"actionName": "api-requests", "actionLimit": 100}}, "Too many"),
    ({"details": {"actionName": "api-requests", "actionLimit": 100}}, None),
    ({"message": "", "error": "Bad Request"}, "Bad Request"),
    ({"message": None, "errors": ["weight is missing"]}, "weight is missing"),
    ({"message": 7, "error": True}, None),
    ({"message": "<html><body>502</body></html>"}, None),
    ({"else": "where"}, None),
    ({}, None),
    ([], None),
    (None, None),
    (42, None),
    ("", None),
]


@pytest.mark.parametrize(("body", "message"), JSON_SHAPES)
def test_the_message_is_found_in_every_known_json_shape(body: object, message: str | None) -> None:
    assert read_message(json.dumps(body).encode()) == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'"modelId" must be a string', '"modelId" must be a string'),
        (b"Job job_1 not found\n  at Object.<anonymous> (/srv/index.js:1:1)", "Job job_1 not found"),
        (b"\r\n  text \r more", "text"),
        (b"\xef\xbb\xbfmarked text", "marked text"),
        (b'\xef\xbb\xbf{"message": "marked JSON"}', "marked JSON"),
        (b'{"message": "torn', None),
        (b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>", None),
        (b"\n <html></html>", None),
        (b"\xef\xbb\xbf<html></html>", None),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', None),
        (b"", None),
        (b" \r\n\t", None),
        (b"\x00\x01\x02", None),
        (b"caf\xe9 is closed", "caf\ufffd is closed"),
        (b'{"message": "caf\xe9"}', None),
        (b'"\\ud800"', "\ufffd"),
        (b'{"message": "no \\ud83d here"}', "no \ufffd here"),
    ],
)
def test_a_body_that_is_not_the_json_it_should_be_is_read_as_text_or_not_at_all(
    body: bytes, message: str | None
) -> None:
    assert read_message(body) == message


@pytest.mark.parametrize("text", ["x" * 10_000_000, "a\n" * 5_000_000, "?" * 10_000_000, " " * 10_000_000 + "end"])
def test_ten_megabytes_say_no_more_than_300_characters(text: str) -> None:
    for body in (text.encode(), json.dumps({"message": text}).encode()):
        message = read_message(body)
        assert message is None or len(message) <= MAX_MESSAGE


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"message":' * 100_000 + b'"x"' + b"}" * 100_000,
        b"[" * 500 + b'"x"' + b"]" * 500,
        b'{"error":' * 500 + b'"x"' + b"}" * 500,
    ],
)
def test_a_deep_body_is_not_followed_to_its_end(body: bytes) -> None:
    assert read_message(body) is None


def test_what_stands_in_the_first_eight_levels_is_found() -> None:
    assert read_message(b"[" * 8 + b'"x"' + b"]" * 8) == "x"
    assert read_message(b"[" * 9 + b'"x"' + b"]" * 9) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example/a?Policy=CANARY&Key-Pair-Id=CANARY&Signature=CANARY",
        "HTTPS://CDN.EXAMPLE/a?X-Amz-Signature=CANARY",
        "//cdn.example/a?sig=CANARY",
        "/assets/a?CANARY",
        "https:\\/\\/cdn.example\\/a?sig=CANARY",
        "https://cdn.example/a?sig=\x00CANARY\u200b",
    ],
)
@pytest.mark.parametrize("wrap", ["{}", "({}) is no image", 'see "{}"', "<{}> <{}>", "{}\nCANARY"])
def test_query_strings_are_left_out(url: str, wrap: str) -> None:
    text = wrap.replace("{}", url)
    for body in (text.encode(), json.dumps({"message": [text]}).encode()):
        assert "CANARY" not in (read_message(body) or "")


def test_what_is_left_of_an_address_is_still_readable() -> None:
    body = b'{"message": "Fetching https://cdn.example/a.png?p=100&Signature=abc failed"}'
    assert read_message(body) == "Fetching https://cdn.example/a.png failed"


def test_secrets_are_left_out_even_where_one_begins_another() -> None:
    secrets = ("", "key", "key-secret", "a2V5OmtleS1zZWNyZXQ=")
    body = b'{"message": "bad credential key:key-secret (Basic a2V5OmtleS1zZWNyZXQ=)"}'
    assert read_message(body, secrets) == "bad credential [redacted]:[redacted] (Basic [redacted])"


@given(st.binary(max_size=200), st.lists(st.text(min_size=1, max_size=4), max_size=3))
def test_no_body_is_too_odd_to_be_read(body: bytes, secrets: list[str]) -> None:
    message = read_message(body, secrets)
    assert message is None or (0 < len(message) <= MAX_MESSAGE and message.isprintable())


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=20))
def test_no_json_is_too_odd_to_be_read(value: object) -> None:
    for body in (value, {"message": value}, {"details": [{"msg": value}], "code": value}):
        read_message(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "2.5"}, 2.5),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
        ({"Retry-After": format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True)}, 90),
        ({"Retry-After": format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True)}, 0),
        ({"Retry-After": "Mon, 21 Sep 2026 14:14:20 -0000"}, 60),
        ({"Retry-After": "Mon, 21 Sep 2026 16:14:20 +0200"}, 60),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "Mon, 99 Sep 2026 14:14:20 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(httpx.Headers(headers), NOW) == seconds


@given(st.text())
def test_no_retry_after_is_too_odd_to_be_read(text: str) -> None:
    seconds = read_retry_after({"retry-after": text, "retry-after-ms": text}, NOW)
    assert seconds is None or seconds >= 0


def test_a_date_beyond_all_calendars_says_nothing() -> None:
    assert read_retry_after({"retry-after": "Fri, 31 Dec 99999999999 23:59:59 GMT"}, 0) is None
