"""The page that a browser sees at `/graphql`: GraphiQL where it is built, a plain console where it is not."""

import os
from pathlib import Path
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from gateway.http.reply import Reply

BUILT = Path(__file__).parent / "static" / "graphiql"
CONSOLE = Path(__file__).parent / "console"
PLACEHOLDER = '<script type="application/json" id="gateway">{}</script>'

# The editor styles its elements one by one and carries its fonts and icons in its style sheet;
# scripts, workers and requests come from this origin alone.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {"content-security-policy": CONTENT_SECURITY_POLICY, "x-content-type-options": "nosniff"}


class Examples(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Ids that the page's examples ask for; `live_scan_id` is of a scan that changes."""

    scan_id: str = ""
    live_scan_id: str = ""
    asset_ids: tuple[str, ...] = ()


def is_built(built: Path = BUILT) -> bool:
    """Tell whether GraphiQL stands in `built`, where `make graphiql` puts it."""
    return (built / "index.html").is_file()


def page(examples: Examples | None = None, *, built: Path = BUILT) -> str:
    """Return the page as HTML, with examples that ask for these ids, or leave them to be filled in."""
    html = (_folder(built) / "index.html").read_text(encoding="utf-8")
    return html.replace(PLACEHOLDER, PLACEHOLDER.replace("{}", _script_json(examples or Examples())))


def reply(page: str) -> Reply:
    """Return the page as an answer, under its policy."""
    headers = {"content-type": "text/html; charset=utf-8", "vary": "accept", **HEADERS}
    return Reply(200, page.encode(), [(name.encode(), value.encode()) for name, value in headers.items()])


class _GuardedFiles(StaticFiles):
    """Files under the page's policy: a worker takes it from its own response, not from the page."""

    def file_response(self, full_path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(full_path, *args, **kwargs)
        # Vite names what it puts into `assets` by content, so a browser may keep it; the rest it asks about again.
        kept = "public, max-age=31536000, immutable" if Path(full_path).parent.name == "assets" else "no-cache"
        response.headers.update({**HEADERS, "cache-control": kept})
        return response


def static_files(built: Path = BUILT) -> StaticFiles:
    """Return what belongs under `/graphiql`: the scripts and styles of the page that stands now.

    A page built later is served after the next start.
    """
    return _GuardedFiles(directory=_folder(built))


def _folder(built: Path) -> Path:
    return built if is_built(built) else CONSOLE


def _script_json(examples: Examples) -> str:
    # A script element ends at the first "</script", wherever it stands, so no "<" may be left in it.
    return msgspec.json.encode(examples).decode().replace("<", "\\u003c")
