"""No forged token opens a door: not at the REST API, not at the WebSocket, and the good one opens both."""

import asyncio

import pytest
import websockets
from websockets.exceptions import InvalidStatus

from local.venue import OPERATOR, Venue
from tests.e2e.market import Market
from tests.security.forgeries import FORGERIES, Signer

pytestmark = pytest.mark.venue


@pytest.fixture(scope="module")
def pool(venue: Venue) -> Signer:
    """The local user pool, whose key lies in the emulator's folder; the token is an operator's."""
    [key] = (venue.folder / "aws").rglob(f"{venue.outputs['UserPoolId']}-id.pem")
    return Signer(key, venue.token(OPERATOR))


def rest(market: Market, token: str) -> int:
    """The status of a private read with this token."""
    return market.client(token=token).call("GET", "/accounts").status


async def stream(venue: Venue, token: str) -> int:
    """The status of a WebSocket handshake with this token: 101 when it opens."""
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with websockets.connect(venue.stream_url, additional_headers=headers, proxy=None):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_what_the_pool_signs_itself_is_good_at_both_doors(market: Market, pool: Signer) -> None:
    for token in (pool.good, pool.signed()):
        assert rest(market, token) == 200
        assert await stream(market.venue, token) == 101


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_refused_by_the_rest_api(market: Market, pool: Signer, forgery: str) -> None:
    assert rest(market, FORGERIES[forgery](pool)) in {401, 403}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_refused_by_the_websocket(venue: Venue, pool: Signer, forgery: str) -> None:
    assert asyncio.run(stream(venue, FORGERIES[forgery](pool))) in {401, 403}


def test_there_are_forty_of_them() -> None:
    assert len(FORGERIES) >= 40
