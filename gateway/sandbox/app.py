"""Both upstreams, their files and the control API as one application."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import Route

from gateway.sandbox import auth
from gateway.sandbox.control import Control
from gateway.sandbox.downloads import JOB_SECONDS, Downloads
from gateway.sandbox.faults import Faults
from gateway.sandbox.files import Files
from gateway.sandbox.library import Library
from gateway.sandbox.links import linked
from gateway.sandbox.prism import Prism
from gateway.sandbox.scenario import Scenario
from gateway.sandbox.signing import S3, CloudFront
from gateway.sandbox.upstream import Sleep

INDEX_SECONDS = 2.0


class Anything(Convertor[str]):
    """The rest of a path, whatever is in it; Starlette's own `path` ends at a line break."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        """Give the text as it is."""
        return value

    def to_string(self, value: str) -> str:
        """Give the text as it is."""
        return value


register_url_convertor("anything", Anything())


class Sandbox:
    """Prism and Scenario simulated, to try the gateway and to test it.

    `app` serves Prism below `/prism`, Scenario below `/scenario/v1`, files below `/cdn` and `/s3`, and `/sandbox`.
    The same seed and the same time of start give the same data. `url` is where clients reach the app: it is the base
    of every URL handed out. `clock` tells epoch seconds; `sleep` is what a fault's delay waits with.

    embed_scan_assets: `GET /scans/{id}` holds the stages.
    bare_strings: `GET /scans/{id}/asset-urls/{type}` answers text, JSON otherwise.
    bulk_refuses_unknown: get-bulk answers 404 for an id it does not know, and leaves it out otherwise.
    drift: some scans and assets break what is documented.
    index_seconds: how long search takes to know of a change of tags.
    job_seconds: how long a download job takes.
    """

    prism_api_key = auth.PRISM_API_KEY
    scenario_api_key = auth.KEY_PAIR.api_key
    scenario_api_secret = auth.KEY_PAIR.api_secret
    scenario_jwt = auth.SCENARIO_JWT
    project_id = auth.PROJECT_ID
    other_scenario_api_key = auth.OTHER_KEY_PAIR.api_key
    other_scenario_api_secret = auth.OTHER_KEY_PAIR.api_secret
    other_project_id = auth.OTHER_PROJECT_ID

    def __init__(
        self,
        seed: int = 1,
        clock: Callable[[], float] = time.time,
        url: str = "http://127.0.0.1:8001",
        *,
        sleep: Sleep = asyncio.sleep,
        embed_scan_assets: bool = True,
        bare_strings: bool = False,
        bulk_refuses_unknown: bool = False,
        drift: bool = False,
        index_seconds: float = INDEX_SECONDS,
        job_seconds: float = JOB_SECONDS,
    ) -> None:
        self.url = url.rstrip("/")
        self.faults = Faults(seed)
        self._clock = clock
        s3, cdn = S3(clock, self.url), CloudFront(clock, self.url)
        library = Library(seed, clock, cdn, self.url, drifts=drift, index_seconds=index_seconds)
        downloads = Downloads(seed, clock, library, s3, job_seconds)
        self.prism = Prism(
            seed,
            clock,
            s3,
            self.faults,
            sleep,
            embed_scan_assets=embed_scan_assets,
            bare_strings=bare_strings,
            drift=drift,
        )
        library.assets |= linked(library.assets.values(), self.prism.scans)
        self.scenario = Scenario(
            clock, library, downloads, self.faults, sleep, bulk_refuses_unknown=bulk_refuses_unknown
        )
        self.files = Files(self.prism.scans, library.assets, downloads, s3, cdn, faults=self.faults, sleep=sleep)
        upstreams = (self.prism, self.scenario, self.files)
        self.app = Starlette(
            routes=[
                *Control(self.faults, upstreams, self.overview).routes,
                Route("/prism/{path:anything}", self.prism),
                Route("/scenario/v1/{path:anything}", self.scenario),
                Route("/cdn/{path:anything}", self.files),
                Route("/s3/{path:anything}", self.files),
            ]
        )

    def clear(self) -> None:
        """Forget the calls and the faults."""
        self.faults.clear()
        for upstream in (self.prism, self.scenario, self.files):
            upstream.clear()

    @property
    def live_scans(self) -> list[str]:
        """The scans that move for ever."""
        return [scan.scan_id for scan in self.prism.scans.values() if scan.repeats]

    def overview(self) -> dict[str, object]:
        """Where the APIs are, what opens them, the scans by their status now, and those that move for ever."""
        scans: defaultdict[str, list[str]] = defaultdict(list)
        for scan in self.prism.scans.values():
            scans[scan.status(self._clock())].append(scan.scan_id)
        return {
            "prism": {"url": f"{self.url}{self.prism.base}", "apiKey": self.prism_api_key},
            "scenario": {
                "url": f"{self.url}{self.scenario.base}",
                "apiKey": self.scenario_api_key,
                "apiSecret": self.scenario_api_secret,
            },
            "scans": scans,
            "live": self.live_scans,
            "assets": len(self.scenario.assets),
        }
