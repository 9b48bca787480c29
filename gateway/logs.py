"""How the process logs: a line of JSON for each event, or of text for people, with bounded fields and no secrets.

The gateway's modules log as any library does, by `logging` and with fields in `extra`; what becomes of that is decided
here. Only fields named in `FIELDS` are written, and of an exception where it was raised, never its message.
"""

import logging
import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Literal, TextIO
from weakref import finalize

import msgspec
import structlog
from structlog.stdlib import ExtraAdder, ProcessorFormatter, add_log_level, add_logger_name
from structlog.typing import EventDict, Processor

from gateway.telemetry import account

Form = Literal["auto", "json", "text"]

FIELDS = (
    "api",
    "method",
    "route",
    "code",
    "request_id",
    "protocol",
    "status",
    "operation",
    "kind",
    "outcome",
    "error",
    "ms",
)
MAX_EVENT = 1_000  # characters
MAX_FIELD = 200
MAX_FRAMES = 10
MIN_SECRET = 6  # a shorter one is a word like others
QUIET = ("httpx", "httpcore", "urllib3", "asyncio")  # they show addresses, query strings and headers

REDACTED = "[redacted]"
_QUERY = re.compile(r"\?[^\s\"'<>?]*=[^\s\"'<>]*")
_CREDENTIAL = re.compile(r"\b(basic|bearer)\s+[\w.~+/=-]+", re.IGNORECASE)


class Secrets:
    """What must stand in no log, however many there are: found by how it begins."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._by_start: dict[str, Counter[str]] = {}
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Know secrets, each as often as it is added; those that are words like others are left out."""
        for secret in secrets:
            if len(secret) >= MIN_SECRET:
                self._by_start.setdefault(secret[:MIN_SECRET], Counter())[secret] += 1

    def remove(self, secrets: Iterable[str]) -> None:
        """Take back what was added."""
        for secret in secrets:
            alike = self._by_start.get(secret[:MIN_SECRET])
            if alike is not None:
                alike -= Counter((secret,))  # which leaves out what is there no more
                self._by_start[secret[:MIN_SECRET]] = alike
                if not alike:
                    del self._by_start[secret[:MIN_SECRET]]

    def out_of(self, text: str) -> str:
        """Write something else wherever one of them stands in a text."""
        parts, done, place, starts = [], 0, 0, self._by_start
        while place < len(text):
            alike = starts.get(text[place : place + MIN_SECRET], ())
            longest = max((len(secret) for secret in alike if text.startswith(secret, place)), default=0)
            if longest:
                parts += [text[done:place], REDACTED]
                done = place + longest
            place += longest or 1
        return "".join([*parts, text[done:]]) if parts else text


_credentials = Secrets()  # the log is the process's, and so is what must not stand there


def never_log(secrets: Iterable[str], owner: object) -> None:
    """Keep secrets out of the log for as long as their owner lives."""
    _credentials.add(secrets)
    finalize(owner, _credentials.remove, secrets).atexit = False


class Handler(logging.StreamHandler[TextIO]):
    """What writes to the process's log; there is one at a time."""


def configure_logging(
    level: str, form: Form = "auto", secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Log to standard error, or to another stream; `auto` is text on a terminal, and JSON elsewhere.

    Wherever one of the `secrets` stands in what is logged, or what is told to `never_log`, something else is written.
    """
    stream = stream or sys.stderr
    as_text = form == "text" or (form == "auto" and stream.isatty())
    handler = Handler(stream)
    handler.setFormatter(formatter(secrets, as_text=as_text, colors=stream.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [other for other in root.handlers if not isinstance(other, Handler)] + [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def formatter(secrets: Iterable[str], *, as_text: bool, colors: bool) -> logging.Formatter:
    """Make what writes a record as one line."""
    gathered: list[Processor] = [
        add_log_level,
        add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        ExtraAdder(FIELDS),
        _with_process,
        _with_request,
        _with_place,
        _without(secrets),
    ]
    render = structlog.dev.ConsoleRenderer(colors=colors) if as_text else _as_json
    return ProcessorFormatter(
        foreign_pre_chain=gathered, processors=[ProcessorFormatter.remove_processors_meta, render]
    )


def _as_json(_logger: Any, _name: str, event: EventDict) -> str:
    return msgspec.json.encode(event).decode()


def _with_process(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Add which of several processes it is from."""
    event["pid"] = os.getpid()
    return event


def _with_request(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Add the id of the request that caused it, where one did."""
    caused_by = account.get()
    if caused_by is not None:
        event.setdefault("request_id", caused_by.request_id)
    return event


def _with_place(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Write an exception as its kind and where it came by, innermost last: its words may hold anything."""
    error = (event.pop("exc_info", None) or (None, None))[1]
    event.pop("stack_info", None)
    if error is not None:
        frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
        places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
        event["error"], event["at"] = type(error).__name__, places
    return event


def _without(secrets: Iterable[str]) -> Callable[[Any, str, EventDict], EventDict]:
    """Bound every text, and take out what looks like a credential or a query string, is a secret, or is no UTF-8."""
    known = Secrets(secrets)

    def clean(text: str, most: int) -> str:
        text = _CREDENTIAL.sub(rf"\1 {REDACTED}", _QUERY.sub("?…", text))
        text = _credentials.out_of(known.out_of(text)).encode(errors="backslashreplace").decode()
        return text if len(text) <= most else f"{text[:most]} …"

    def cleaned(_logger: Any, _name: str, event: EventDict) -> EventDict:
        for key, value in event.items():
            if isinstance(value, str):
                event[key] = clean(value, MAX_EVENT if key == "event" else MAX_FIELD)
        return event

    return cleaned
