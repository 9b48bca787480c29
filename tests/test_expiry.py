"""When signed URLs die: every form that an upstream signs, and everything that is none."""

import base64
import json
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.expiry import expires_at, first_expiry, signed_url_expiry
from gateway.sandbox.errors import Refusal
from gateway.sandbox.signing import S3, CloudFront

HOST = "https://files.example/asset"
EPOCHS = st.integers(min_value=86_400, max_value=4_000_000_000)
LIVES = st.integers(min_value=1, max_value=604_800)
SPELLINGS = st.sampled_from([str, str.lower, str.upper])


def signed(**query: object) -> str:
    return f"{HOST}?p=100&{urlencode(query)}"


def policy(*epochs: int) -> str:
    statements = [
        {"Resource": f"{HOST}?p=100*", "Condition": {"DateLessThan": {"AWS:EpochTime": epoch}}} for epoch in epochs
    ]
    encoded = base64.b64encode(json.dumps({"Statement": statements}).encode()).decode()
    return encoded.translate(str.maketrans("+=/", "-_~"))


def compact(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y%m%dT%H%M%SZ")


@given(EPOCHS, SPELLINGS)
def test_a_cloudfront_policy_says_when_its_url_dies(epoch: int, spell: type[str]) -> None:
    assert expires_at(signed(**{spell("Policy"): policy(epoch), "Signature": "x"})) == epoch


@given(EPOCHS, EPOCHS)
def test_of_two_statements_the_first_to_die_counts(one: int, other: int) -> None:
    assert expires_at(signed(Policy=policy(one, other))) == min(one, other)


@given(EPOCHS)
def test_plain_base64_is_read_as_cloudfronts_own(epoch: int) -> None:
    plain = policy(epoch).translate(str.maketrans("-_~", "+=/"))
    assert expires_at(f"{HOST}?Policy={plain}") == epoch


@given(EPOCHS, LIVES, SPELLINGS)
def test_amazons_date_and_life_add_up(epoch: int, life: int, spell: type[str]) -> None:
    query = {spell("X-Amz-Date"): compact(epoch), spell("X-Amz-Expires"): life, "X-Amz-Signature": "ab"}
    assert expires_at(signed(**query)) == epoch + life


@given(EPOCHS, LIVES)
def test_googles_date_and_life_add_up(epoch: int, life: int) -> None:
    assert expires_at(signed(**{"X-Goog-Date": compact(epoch), "X-Goog-Expires": life})) == epoch + life


@given(EPOCHS)
def test_azures_end_is_read(epoch: int) -> None:
    assert expires_at(signed(se=datetime.fromtimestamp(epoch, UTC).isoformat())) == epoch


@given(EPOCHS)
def test_azures_end_without_an_offset_is_utc(epoch: int) -> None:
    assert expires_at(signed(se=datetime.fromtimestamp(epoch, UTC).replace(tzinfo=None).isoformat())) == epoch


@given(EPOCHS, SPELLINGS)
def test_expires_counts_seconds(epoch: int, spell: type[str]) -> None:
    assert expires_at(signed(**{spell("Expires"): epoch, "Key-Pair-Id": "K"})) == epoch


@given(st.integers(min_value=200_000_000, max_value=4_000_000_000))
def test_expires_of_thirteen_digits_counts_milliseconds(epoch: int) -> None:
    assert expires_at(signed(Expires=epoch * 1000)) == epoch


@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        HOST,
        f"{HOST}?",
        "http://[broken?Expires=1700000000",
        signed(Expires="soon"),
        signed(Expires="-5"),
        signed(Expires="0"),
        signed(Expires="9" * 30),
        signed(Expires="\u0661\u0667\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660"),
        signed(Policy="%%%"),
        signed(Policy="bm8gSlNPTg__"),
        signed(Policy=base64.b64encode(b"[1]").decode()),
        signed(Policy=base64.b64encode(b'{"Statement": [7, {"Condition": {"DateLessThan": 3}}]}').decode()),
        signed(Policy="\udcff".encode(errors="surrogateescape").decode("latin-1")),
        signed(**{"X-Amz-Date": "20260101T000000Z"}),
        signed(**{"X-Amz-Date": "yesterday", "X-Amz-Expires": 60}),
        signed(**{"X-Amz-Date": "20260101T000000Z", "X-Amz-Expires": "9" * 400}),
        signed(se="tomorrow"),
        signed(se="0001-01-01T00:00:00+14:00"),
        signed(Policy=base64.b64encode(b"[" * 100_000).decode()),
    ],
)
def test_what_does_not_say_stays_unknown(url: object) -> None:
    assert expires_at(url) is None
    assert signed_url_expiry(url) is None


@given(st.text())
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    expires_at(f"{HOST}?{text}")
    expires_at(text)


def test_of_many_urls_the_first_to_die_counts_and_silent_ones_do_not() -> None:
    urls = [HOST, signed(Expires=1_700_000_500), None, signed(Expires=1_700_000_000)]
    assert first_expiry(urls) == 1_700_000_000
    assert signed_url_expiry(*urls) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert first_expiry([HOST, None]) is None


@given(st.integers(min_value=1_700_000_000, max_value=2_000_000_000), st.sampled_from([S3, CloudFront]))
def test_the_reader_agrees_with_the_sandboxs_signers_to_the_second(now: int, kind: type[S3 | CloudFront]) -> None:
    moment = now
    signer = kind(lambda: moment, "https://files.example")
    url = signer.sign("/files/a")
    dies = expires_at(url)
    assert dies is not None
    moment = int(dies) - 1
    signer.check("/files/a", urlsplit(url).query)
    moment = int(dies)
    with pytest.raises(Refusal):
        signer.check("/files/a", urlsplit(url).query)
