"""Reads the settings from the environment or a `.env` file, and says what is wrong with them."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.access import line_of
from gateway.settings import BadSettingsError, Settings

ENV_FILE = ".env"
OURS = "GATEWAY_"  # other names may be anybody's


class _Environment(Settings, BaseSettings):
    """The settings, from the environment and a file, where an empty value means none."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")


def read_settings(env_file: str | None = ENV_FILE, **given: Any) -> Settings:
    """Read the settings; what is `given` wins.

    Raises BadSettingsError with a line for each that is missing or bad, and for each name that is none: it may be why.
    """
    sources: dict[str, Any] = {"_env_file": env_file, **given}
    try:
        return _Environment(**sources)
    except UnicodeDecodeError:
        raise BadSettingsError([f"{env_file} cannot be read: it is not UTF-8."]) from None
    except OSError as error:
        raise BadSettingsError([f"{env_file} cannot be read: {error.strerror}."]) from None
    except ValidationError as error:
        bad = [line_of(Settings, problem["loc"], problem["type"], problem["msg"]) for problem in error.errors()]
        raise BadSettingsError([*bad, *misspelt(env_file)]) from None


def misspelt(env_file: str | None) -> Iterator[str]:
    """Say in a line of each name that begins as a setting's that it is none, and which may be meant."""
    known = [name.upper().removeprefix(OURS) for name in Settings.model_fields]
    in_file = dotenv_values(env_file) if env_file else {}
    given = {name.upper() for name in (*os.environ, *in_file)}
    for name in sorted(name.removeprefix(OURS) for name in given if name.startswith(OURS)):
        if name not in known:
            meant = "".join(f"; {OURS}{one} may be meant" for one in get_close_matches(name, known, 1))
            yield f"{OURS}{name} is no setting{meant}."
