"""One local venue for the session, in a folder of its own, so that a venue that someone works with is not disturbed."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from local.setup import ROOT
from local.venue import Venue
from tests.e2e.market import Market, Trader


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make rights` writes down what every program of the venue asked AWS for, instead of comparing it."""
    parser.addoption("--write-rights", action="store_true", help="write tests/template/rights.toml anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks back on all other tests comes after them."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(scope="session")
def venue() -> Iterator[Venue]:
    """The whole venue, fresh. Its logs stay in .local/test-venue/log."""
    venue = Venue(ROOT / ".local" / "test-venue", say=print)
    venue.down(forget=True)
    try:
        venue.up()
        yield venue
    finally:
        venue.down(forget=True)


@pytest.fixture(scope="session")
def market(venue: Venue) -> Iterator[Market]:
    """The venue as its clients and its auditors see it."""
    with Market(venue) as market:
        yield market


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    """Numbers for names that no other test has."""
    return count(1)


@pytest.fixture
def trader(market: Market, numbers: Iterator[int]) -> Callable[..., Trader]:
    """Opens accounts that no other test has: trader(USD="1000", ACME="5") is funded with that."""

    def open_account(**funds: str) -> Trader:
        return market.open_account(f"tester-{next(numbers)}", **funds)

    return open_account
