"""CodeDeploy's hook asks the new versions that are deployed. CodeDeploy alone is ours: the emulator has none."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from local import events
from local.venue import Venue
from tests.e2e.market import Market, eventually

pytestmark = pytest.mark.venue

HOOK = "CodeDeployHook_venue-local"
TOLD = {
    "deploymentId": "d-EXAMPLE00",
    "lifecycleEventHookExecutionId": "eyJleGFtcGxlIjoidHJ1ZSJ9",
}


class CodeDeploy(ThreadingHTTPServer):
    """Takes what a hook reports, as CodeDeploy's API does, and keeps it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.told: list[tuple[str, Any]] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


class _Request(BaseHTTPRequestHandler):
    server: CodeDeploy

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append((self.headers["X-Amz-Target"].rpartition(".")[2], body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def codedeploy() -> Iterator[CodeDeploy]:
    """A CodeDeploy that the hook reports to."""
    with CodeDeploy() as server, ThreadPoolExecutor(1) as pool:
        pool.submit(server.serve_forever, 0.05)
        yield server
        server.shutdown()


def change(venue: Venue, **variables: str) -> dict[str, str]:
    """Set variables of the hook's environment; give what it was."""
    functions = venue.client("lambda")
    before: dict[str, str] = functions.get_function_configuration(FunctionName=HOOK)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=HOOK, Environment={"Variables": before | variables})
    return before


def call(venue: Venue) -> Any:
    event = events.path_of("TryVersion").read_bytes()
    answer = venue.client("lambda").invoke(FunctionName=HOOK, Payload=event)
    return answer.get("FunctionError"), answer["Payload"].read()


def test_new_versions_get_traffic_when_all_of_them_answer_as_they_should(
    venue: Venue, market: Market, codedeploy: CodeDeploy
) -> None:
    before = change(venue, AWS_ENDPOINT_URL_CODEDEPLOY=codedeploy.url)
    try:
        assert call(venue) == (None, b"null")
        assert codedeploy.told == [("PutLifecycleEventHookExecutionStatus", {**TOLD, "status": "Succeeded"})]
        versions = json.loads(before["VERSIONS"])
        # Another function in the place of one: it answers, but not what was asked.
        change(venue, VERSIONS=json.dumps({**versions, "deposit": versions["market_data"]}))
        assert call(venue) == (None, b"null")
        assert codedeploy.told[1:] == [("PutLifecycleEventHookExecutionStatus", {**TOLD, "status": "Failed"})]
        # The matcher is away: what asks it does not answer as it should.
        change(venue, VERSIONS=before["VERSIONS"])
        venue.stop_matcher()
        assert call(venue) == (None, b"null")
        assert [told["status"] for _, told in codedeploy.told] == ["Succeeded", "Failed", "Failed"]
    finally:
        venue.start_matcher()
        venue.client("lambda").update_function_configuration(FunctionName=HOOK, Environment={"Variables": before})
    eventually(lambda: market.nobody.call("GET", "/products").status == 200)
    market.assert_books_balance()


def test_a_hook_that_cannot_report_fails(venue: Venue) -> None:
    """CodeDeploy then waits in vain for an hour, and gives the new versions no traffic."""
    error, said = call(venue)
    assert error, said
