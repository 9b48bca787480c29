"""Logs: lines of JSON, or of text on a terminal; bounded, with the id of the request, and without secrets."""

import base64
import gc
import io
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app
from gateway.auth.caller import OpenGate
from gateway.environment import read_settings
from gateway.errors import UpstreamUnavailable
from gateway.logs import MAX_EVENT, MAX_FIELD, Form, Secrets, configure_logging
from gateway.process import create_gateway
from gateway.sandbox import Fault, Sandbox
from gateway.telemetry import account, watch_calls
from tests.world import World, settings_for, world

log = logging.getLogger("gateway.test")


class Terminal(io.StringIO):
    """A stream that people look at."""

    def isatty(self) -> bool:
        return True


def logged(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines that were written, without their times and this process."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in stream.getvalue().splitlines()]
    for line in lines:
        assert line.pop("timestamp").endswith("Z")
        assert line.pop("pid") == os.getpid()
    return lines


def test_an_event_is_a_line_of_json_with_the_fields_that_are_known() -> None:
    stream = io.StringIO()
    configure_logging("info", "auto", stream=stream)
    log.info("hello %s", "you", extra={"api": "prism", "ms": 1.5, "userToken": "canary"})
    log.debug("nothing")
    assert logged(stream) == [
        {"event": "hello you", "level": "info", "logger": "gateway.test", "api": "prism", "ms": 1.5}
    ]


@pytest.mark.parametrize(("form", "stream"), [("auto", Terminal()), ("text", io.StringIO())])
def test_people_get_text(form: Form, stream: io.StringIO) -> None:
    configure_logging("info", form, stream=stream)
    log.warning("hello", extra={"api": "prism"})
    assert "hello" in stream.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(stream.getvalue())


def test_what_is_long_is_cut() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    log.info("x" * 100_000, extra={"route": "y" * 100_000})
    (line,) = logged(stream)
    assert (len(line["event"]), len(line["route"])) == (MAX_EVENT + 2, MAX_FIELD + 2)


def test_what_came_in_other_bytes_than_those_of_utf_8_is_logged_as_these_bytes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    ours = [one for one in logging.getLogger().handlers if getattr(one, "stream", None) is stream]
    monkeypatch.setattr(logging.getLogger(), "handlers", ours)  # the test runner's own cannot pass such text on
    log.info("%s is unknown", os.fsdecode(b"n\xffme"), extra={"route": "é"})
    assert [(line["event"], line["route"]) for line in logged(stream)] == [("n\\udcffme is unknown", "é")]
    assert capsys.readouterr().err == ""


def test_secrets_credentials_and_query_strings_are_taken_out_wherever_they_stand() -> None:
    stream = io.StringIO()
    configure_logging("info", secrets=["s3cret-key", "it"], stream=stream)
    text = "Bearer abc.def-1 and basic dXNlcjpwYXNz at https://a/b?Signature=CANARY&x=1, it is s3cret-key."
    log.info("%s", text, extra={"code": text})
    clean = "Bearer [redacted] and basic [redacted] at https://a/b?…, it is [redacted]."
    assert [(line["event"], line["code"]) for line in logged(stream)] == [
        (clean.replace("?…,", "?…"), clean.replace("?…,", "?…"))
    ]


def test_of_secrets_that_begin_alike_the_longest_is_taken_out() -> None:
    secrets = Secrets(["abcdef", "abcdefgh", "abcdefgh", "abcdef-"])
    secrets.remove(["abcdefgh", "abcdef-", "never there"])
    assert secrets.out_of("abcdefghi abcdef- abcde") == "[redacted]i [redacted]- abcde"
    secrets.remove(["abcdefgh", "abcdef"])
    assert secrets.out_of("abcdefgh") == "abcdefgh"


def test_a_tenants_credentials_are_no_settings_and_stand_in_no_log_either(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text('[default]\nprism_api_key = "acme-canary"\nscenario_public = true\n', encoding="utf-8")
    app = create_app(read_settings(None, gateway_tenants_file=file), gate=OpenGate())
    assert told_of(["acme-canary"]) == "[redacted]"
    del app


async def test_what_a_client_brings_stands_in_no_log_for_as_long_as_it_is_kept() -> None:
    async with world({"gateway_auth": "pass-through", "gateway_own_credentials": 1}) as gateway:
        for name in ("first", "other"):
            pair = base64.b64encode(f"{name}-canary:{name}-secret".encode()).decode()
            gateway.headers = {"x-scenario-authorization": f"Basic {pair}"}
            await gateway.execute("{ assets(first: 1) { nodes { assetId } } }")
            assert told_of([f"{name}-canary", f"{name}-secret", pair]) == "[redacted] [redacted] [redacted]"
        gc.collect()
        assert told_of(["first-secret", "other-secret"]) == "first-secret [redacted]"


def told_of(words: list[str]) -> str:
    """What is written where some words are logged."""
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    log.info("%s", " ".join(words))
    (line,) = logged(stream)
    event: str = line["event"]
    return event


def test_an_exception_is_its_kind_and_place_and_never_what_it_says() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    try:
        json.loads("canary")
    except ValueError:
        log.exception("failed")
    (line,) = logged(stream)
    assert (line["error"], [place.split(":")[0] for place in line["at"]]) == (
        "JSONDecodeError",
        ["test_logs.py", "__init__.py", "decoder.py", "decoder.py"],
    )
    assert "canary" not in stream.getvalue()


def test_a_line_has_the_id_of_the_request_that_caused_it() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    watch_calls("r-1")
    log.info("one")
    log.info("two", extra={"request_id": "r-2"})
    account.set(None)
    log.info("three")
    assert [line.get("request_id") for line in logged(stream)] == ["r-1", "r-2", None]


async def test_a_failing_upstream_is_logged_with_the_request_that_met_it_and_without_its_ids() -> None:
    stream = io.StringIO()
    configure_logging("debug", stream=stream)
    async with world({"gateway_retries": 0}) as gateway:
        gateway.sandbox.faults.add(Fault(upstream="prism", status=503))
        gateway.headers["x-request-id"] = "r-1"
        await gateway.execute('{ scan(scanId: "canary") { status } }')
    fields = {"api": "prism", "method": "GET", "route": "/scans/{scanId}", "request_id": "r-1"}
    call, failure = [line for line in logged(stream) if line["logger"] == "gateway.upstream"]
    assert call.pop("ms") >= 0
    upstream = {"logger": "gateway.upstream", **fields}
    assert call == {"event": "upstream call", "level": "debug", "outcome": "503", **upstream}
    code = "UPSTREAM_UNAVAILABLE"
    assert failure == {
        "event": f"Prism failed: {code}",
        "level": "warning",
        "code": code,
        "outcome": "503",
        **upstream,
    }


async def test_of_a_call_that_came_to_nothing_the_kind_of_error_is_logged_that_it_comes_from() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    gateway = create_gateway(settings_for(Sandbox(), prism_url="http://127.0.0.1:1", gateway_retries=0))
    with pytest.raises(UpstreamUnavailable):
        await gateway.tenants.of().sources.prism.upstream.call("GET", "/scans/canary")
    await gateway.close()
    (failure,) = logged(stream)
    assert (failure["outcome"], failure["error"]) == ("unreachable", "ConnectionRefusedError")


async def test_an_id_that_an_upstream_does_not_know_is_no_warning_for_any_client_may_ask_for_one() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    async with world() as gateway:
        await gateway.execute('{ scan(scanId: "canary") { status } }')
    (failure,) = logged(stream)
    assert (failure["event"], failure["level"]) == ("Prism failed: NOT_FOUND", "info")


async def test_each_request_is_logged_where_that_is_asked_for() -> None:
    async with world({"gateway_log_requests": True}) as gateway:
        stream = io.StringIO()
        configure_logging("info", stream=stream)
        gateway.headers["x-request-id"] = "r-1"
        for _ in range(2):
            await gateway.execute("query A { __typename }")
        await gateway.execute("{ nothing }")
        await gateway.client.put("/graphql", headers=gateway.headers)
    lines = logged(stream)
    assert all(line.pop("ms") >= 0 for line in lines)
    said = {"event": "request", "level": "info", "logger": "gateway.requests", "protocol": "http", "request_id": "r-1"}
    asked = {**said, "method": "POST", "status": 200}
    assert lines == [
        *[{**asked, "operation": "A", "kind": "query", "outcome": "ok"}] * 2,
        {**asked, "operation": "<invalid>", "kind": "", "outcome": "refused"},
        {**said, "method": "PUT", "status": 405},
    ]


async def test_no_request_is_logged_otherwise(gateway: World) -> None:
    stream = io.StringIO()
    configure_logging("debug", stream=stream)
    await gateway.execute("{ __typename }")
    assert [line for line in logged(stream) if line["logger"].startswith("gateway")] == []
