"""What any stage must show to whoever comes with nothing but its address: the part of these tests that a pipeline runs
against what it has just deployed.

    VENUE_URL=https://… VENUE_STREAM_URL=wss://… pytest tests/e2e/test_stage.py

Without an address, the stage is the local venue of the session. Nothing here changes anything.
"""

import os
import subprocess
import sys
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
import yaml
from websockets.asyncio.client import connect

from local.setup import ROOT
from local.venue import Venue
from tests.e2e.market import eventually

pytestmark = pytest.mark.venue

# A stage that was deployed a moment ago has a matcher that is just starting.
PATIENCE_S = 240.0
PATHS: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docs" / "api" / "openapi.yaml").read_text())["paths"]
PRIVATE = [(method, path) for path, ways in PATHS.items() for method, way in ways.items() if way.get("security")]


class Stage(msgspec.Struct, frozen=True):
    """A stage, by its addresses."""

    url: str
    stream_url: str

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request as a stranger."""
        return httpx.request(method, self.url + path, timeout=60, trust_env=False, **more)


@pytest.fixture(scope="session")
def stage(request: pytest.FixtureRequest) -> Stage:
    """The stage that the environment names, or the local one."""
    if "VENUE_URL" in os.environ:
        return Stage(os.environ["VENUE_URL"].rstrip("/"), os.environ["VENUE_STREAM_URL"])
    venue: Venue = request.getfixturevalue("venue")
    return Stage(venue.rest_url, venue.stream_url)


def test_it_tells_everybody_the_time_and_its_markets(stage: Stage) -> None:
    eventually(lambda: stage.ask("GET", "/time").status_code == 200, patience_s=PATIENCE_S)
    eventually(lambda: stage.ask("GET", "/products").json(), patience_s=PATIENCE_S)
    for product in stage.ask("GET", "/products").json():
        assert stage.ask("GET", f"/products/{product['id']}").json()["id"] == product["id"]
        book = stage.ask("GET", f"/products/{product['id']}/book?level=2")
        assert (book.status_code, {"bids", "asks", "sequence"} <= book.json().keys()) == (200, True)


@pytest.mark.parametrize(("method", "path"), PRIVATE)
@pytest.mark.parametrize("token", [None, "forged"])
def test_it_does_nothing_for_a_stranger(stage: Stage, method: str, path: str, token: str | None) -> None:
    names = {"order_id", "client_oid", "account_id"}
    filled = path.format(product_id="ACME-USD", **dict.fromkeys(names, str(uuid4())))
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = stage.ask(method.upper(), filled, headers=headers, json={} if method in {"post", "patch"} else None)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_it_says_in_its_own_form_that_there_is_nothing(stage: Stage) -> None:
    answer = stage.ask("GET", "/orders/there/is/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["request_id"]


async def test_it_opens_a_socket_to_everybody_and_shows_no_private_channel(stage: Stage) -> None:
    async with connect(stage.stream_url, proxy=None, open_timeout=60) as socket:
        await socket.send('{"type": "subscribe", "channels": ["status"]}')
        assert {msgspec.json.decode(await socket.recv())["type"] for _ in range(2)} == {"subscriptions", "status"}
        await socket.send('{"type": "subscribe", "product_ids": ["ACME-USD"], "channels": ["user"]}')
        assert msgspec.json.decode(await socket.recv())["type"] == "error"


@pytest.mark.skipif("VENUE_URL" in os.environ, reason="this is that run")
def test_a_stage_that_is_known_by_its_address_alone_is_tested_the_same(venue: Venue) -> None:
    address = {"VENUE_URL": venue.rest_url, "VENUE_STREAM_URL": venue.stream_url}
    # Where the address leads nowhere, the run fails: it is what it is told that it asks.
    nowhere = {"VENUE_URL": "http://127.0.0.1:9", "VENUE_STREAM_URL": "ws://127.0.0.1:9"}
    own = "tests/e2e/test_stage.py"
    found = run(address, own)
    assert found.returncode == 0, found.stdout
    assert f"{3 + 2 * len(PRIVATE)} passed, 1 skipped" in found.stdout
    assert run(nowhere, f"{own}::test_it_says_in_its_own_form_that_there_is_nothing").returncode == 1


def run(address: dict[str, str], *tests: str) -> subprocess.CompletedProcess[str]:
    """Run tests as the pipeline does."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env=os.environ | address,
        capture_output=True,
        text=True,
        check=False,
    )
