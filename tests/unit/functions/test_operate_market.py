"""POST /products and /products/{id}/status: operators list markets, halt them, and let them go on."""

from typing import Any

import pytest

from functions.operate_market import app
from tests.rest import Answer, call, event, refusal
from tests.venue_in_memory import ACME_USD, ALICE, NOON, MemoryVenue
from venue.instants import rfc3339
from venue.supervisor import Supervisor
from venue_aws.api import Api

NEW = {
    "base_currency": "SOL",
    "base_name": "Solana",
    "base_scale": 9,
    "quote_currency": "USD",
    "quote_increment": "0.01",
    "base_increment": "0.001",
}


@pytest.fixture
def venue() -> MemoryVenue:
    return MemoryVenue()


@pytest.fixture
def handler(venue: MemoryVenue) -> Api:
    supervisor = Supervisor(markets=venue.markets, handover=venue.handover)
    return app.build(lambda: supervisor)


def ask(handler: Api, path: str, body: object, groups: str = "operators") -> Answer:
    return call(handler, event("POST", path, body=body, account=ALICE, groups=groups))


def set_status(handler: Api, **change: Any) -> Answer:
    return ask(handler, "/products/ACME-USD/status", change)


@pytest.mark.parametrize("status", ["post_only", "limit_only", "cancel_only", "halted", "auction", "trading"])
def test_a_market_takes_each_state(handler: Api, venue: MemoryVenue, status: str) -> None:
    assert set_status(handler, status="halted").status == 200
    assert set_status(handler, status=status).body == {"product_id": "ACME-USD", "status": status, "until": None}
    book = venue.matcher.engine.book("ACME-USD")
    assert book is not None
    assert book.status == status


def test_an_auction_ends_at_its_time_and_goes_by_a_given_reference(handler: Api, venue: MemoryVenue) -> None:
    until = rfc3339(NOON + 1_000_000)
    answer = set_status(handler, status="auction", until=until, reference_price="2.500")
    assert answer.body["until"] == until
    book = venue.matcher.engine.book("ACME-USD")
    assert book is not None
    assert (book.until, book.reference) == (NOON + 1_000_000, 500)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"status": "closed"}, (400, "malformed")),
        ({}, (400, "malformed")),
        ({"status": "halted", "until": "tomorrow"}, (400, "malformed")),
        ({"status": "auction", "reference_price": "0.001"}, (400, "malformed")),
        ({"status": "trading", "until": rfc3339(NOON + 1)}, (422, "bad_until")),
        ({"status": "halted", "until": rfc3339(NOON)}, (422, "bad_until")),
    ],
    ids=str,
)
def test_a_change_that_makes_no_sense_is_refused(handler: Api, change: dict[str, str], told: tuple[int, str]) -> None:
    assert refusal(set_status(handler, **change)) == told


def test_a_decision_for_a_market_that_nobody_serves_is_not_left_for_later(handler: Api, venue: MemoryVenue) -> None:
    venue.matcher.url = None
    assert refusal(set_status(handler, status="halted")) == (503, "unavailable")
    assert venue.queue.waiting == []


def test_an_unknown_market_is_not_found(handler: Api) -> None:
    assert refusal(ask(handler, "/products/NO-USD/status", {"status": "halted"})) == (404, "unknown_product")


@pytest.mark.parametrize("groups", ["traders", "auditors"])
def test_only_operators_decide(handler: Api, groups: str) -> None:
    assert refusal(ask(handler, "/products/ACME-USD/status", {"status": "halted"}, groups)) == (403, "forbidden")
    assert refusal(ask(handler, "/products", NEW, groups)) == (403, "forbidden")


def test_a_market_is_listed_with_its_rules(handler: Api, venue: MemoryVenue) -> None:
    more = {"base_min_size": "0.010", "min_market_funds": "5", "collar_bps": 500, "breaker_bps": 1000}
    answer = ask(handler, "/products", NEW | more | {"halt_seconds": 60, "auction_seconds": 30, "taker_bps": 20})
    assert (answer.status, answer.body["id"], answer.body["base_min_size"]) == (200, "SOL-USD", "0.010")
    product = venue.matcher.engine.product("SOL-USD")
    assert product is not None
    assert (product.size_min, product.notional_min, product.collar_bps) == (10, 500_000_000, 500)
    assert (product.halt_us, product.auction_us, product.taker_bps) == (60_000_000, 30_000_000, 20)


def test_listing_again_changes_rules_and_never_the_grid(handler: Api, venue: MemoryVenue) -> None:
    assert ask(handler, "/products", NEW).status == 200
    assert ask(handler, "/products", NEW | {"taker_bps": 30}).status == 200
    product = venue.matcher.engine.product("SOL-USD")
    assert product is not None
    assert product.taker_bps == 30
    assert refusal(ask(handler, "/products", NEW | {"quote_increment": "0.05"})) == (422, "grid_changed")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"quote_currency": "EUR"}, (422, "unknown_asset")),
        ({"base_name": None}, (422, "unknown_asset")),
        ({"base_currency": "BTC"}, (422, "asset_changed")),
        ({"quote_increment": "0"}, (400, "malformed")),
        ({"quote_increment": "0.000000001"}, (400, "malformed")),
        ({"quote_increment": "0.00000001", "base_increment": "0.000000001"}, (400, "malformed")),
        ({"base_min_size": "2", "base_max_size": "1"}, (400, "malformed")),
        ({"base_scale": 19}, (400, "malformed")),
        ({"taker_bps": 10001}, (400, "malformed")),
        ({"breaker_bps": 10000}, (400, "malformed")),
        ({"shard": 1}, (422, "wrong_shard")),
        ({"colour": "red"}, (400, "malformed")),
    ],
    ids=str,
)
def test_rules_that_make_no_sense_are_refused(
    handler: Api, venue: MemoryVenue, change: dict[str, object], told: tuple[int, str]
) -> None:
    assert refusal(ask(handler, "/products", NEW | change)) == told
    assert set(venue.matcher.engine.products) == {ACME_USD.id, "BTC-USD"}
