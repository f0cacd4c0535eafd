"""What the venue's feed tells, heard as a client hears it, becomes the evidence of the audit."""

import msgspec

from local.demo import heard
from local.demo.book import Change
from local.demo.evidence import PrivateFill, Trade
from local.demo.figures import Delay
from local.demo.listen import Heard
from venue import feed, messages
from venue.commands import PlaceOrder
from venue.events import LevelChanged, OrderDone, OrderReceived, Traded
from venue.products import Asset, Product
from venue.wire import TapeRecord, WalletChanged

USD = Asset(id="USD", name="US dollar", scale=8)
ACME = Asset(id="ACME", name="Acme", scale=0)
PRODUCT = Product(id="ACME-USD", base=ACME, quote=USD, tick_units=500_000, lot_units=1)
AT = 1_790_000_000_000_000

RECEIVED = OrderReceived(
    at=AT,
    order=PlaceOrder(
        at=AT,
        order_id="taker-1",
        account="bob",
        product_id="ACME-USD",
        side="buy",
        time_in_force="IOC",
        client_oid="b1",
        price=33_801,
        size=5,
        hold=1,
    ),
    sequence=8,
    account_sequence=3,
)
TRADED = Traded(
    at=AT,
    sequence=9,
    trade_id=1,
    product_id="ACME-USD",
    side="sell",
    price=33_800,
    size=5,
    maker_order_id="maker-1",
    maker_account="ann",
    maker_account_sequence=7,
    maker_fee=2,
    maker_released=0,
    taker_order_id="taker-1",
    taker_account="bob",
    taker_account_sequence=4,
    taker_fee=4,
    taker_released=1,
)
DONE = OrderDone(
    at=AT,
    sequence=10,
    account_sequence=5,
    order_id="taker-1",
    account="bob",
    product_id="ACME-USD",
    side="buy",
    price=33_801,
    remaining=0,
    reason="filled",
    released=0,
)
LEVEL = LevelChanged(at=AT, sequence=10, product_id="ACME-USD", side="sell", price=33_800, size=3)


def hear(*topics: str, records: list[TapeRecord], at: float = AT / 1e6 + 0.25) -> list[Heard]:
    """Deliver what is published under the topics, as JSON, a quarter of a second after it happened."""
    told = [each.message for each in feed.publications(records) if set(each.topics) & set(topics)]
    return [Heard(at, msgspec.json.decode(messages.encode(message))) for message in told]


def batch(*events: OrderReceived | Traded | OrderDone | LevelChanged, number: int = 1) -> TapeRecord:
    return TapeRecord(shard=0, batch=number, part=0, at=AT, product=PRODUCT, events=list(events))


RECORD = batch(RECEIVED, TRADED, DONE, LEVEL)


def test_a_public_match_is_the_trade_of_the_journal() -> None:
    listened = hear("matches#ACME-USD", records=[RECORD])
    assert heard.trades(listened, PRODUCT) == [Trade(1, 9, 33_800, 5, "maker-1", "taker-1")]


def test_the_full_channel_tells_every_sequence_number() -> None:
    assert heard.sequences(hear("full#ACME-USD", records=[RECORD])) == [8, 9, 10]


def test_the_ticker_tells_the_trade_it_stands_at() -> None:
    assert heard.tickers(hear("ticker#ACME-USD", records=[RECORD])) == [1]


def test_each_side_of_a_trade_is_heard_by_its_owner_under_the_owners_order() -> None:
    maker = hear("user#ann#ACME-USD", records=[RECORD])
    taker = hear("user#bob#ACME-USD", records=[RECORD])
    assert heard.fills(maker, "ann") == [PrivateFill(1, "ann", "maker-1")]
    assert heard.fills(taker, "bob") == [PrivateFill(1, "bob", "taker-1")]


def test_a_fill_takes_from_the_matchers_clock_to_its_first_receipt() -> None:
    first = hear("user#ann#ACME-USD", records=[RECORD])
    again = hear("user#ann#ACME-USD", records=[RECORD], at=AT / 1e6 + 9)
    (delay,) = heard.delays([*first, *again])
    assert delay == Delay(first[0].at, delay.ms)
    assert abs(delay.ms - 250) < 0.01


def test_the_latest_wallet_message_counts_in_whatever_order_they_come() -> None:
    def changed(free: int, held: int, sequence: int) -> TapeRecord:
        change = WalletChanged(account="ann", asset="USD", free=free, held=held, shard=0, sequence=sequence, at=AT)
        return TapeRecord(shard=0, batch=sequence, part=1, at=AT, assets=[USD], wallets=[change])

    listened = [each for number in (5, 9, 7) for each in hear("user#ann", records=[changed(100 + number, 40, number)])]
    assert heard.balances(listened, "ann", PRODUCT) == {("ann", "USD"): (109, 40)}


def snapshot(sequence: int) -> Heard:
    message = messages.Snapshot(product_id="ACME-USD", sequence=sequence, bids=[], asks=[("169.000", "8")])
    return Heard(AT / 1e6, msgspec.json.decode(messages.encode(message)))


def test_level_2_becomes_the_book_and_its_history() -> None:
    book, changes = heard.rebuild([snapshot(7), *hear("level2#ACME-USD", records=[RECORD])])
    assert (book.bids, book.asks, book.sequence) == ({}, {"169.000": "3"}, 10)
    assert changes == [Change(AT / 1e6 + 0.25, "sell", 169.0, 3.0)]


def test_an_update_that_overtakes_its_snapshot_is_not_applied_to_it() -> None:
    book, changes = heard.rebuild([*hear("level2#ACME-USD", records=[RECORD]), snapshot(10)])
    assert book.asks == {"169.000": "8"}
    assert changes == []


def test_a_book_that_missed_an_update_stops_there() -> None:
    late = msgspec.structs.replace(LEVEL, sequence=12, size=1)
    book, _ = heard.rebuild([snapshot(7), *hear("level2#ACME-USD", records=[batch(late, number=3)])])
    assert (book.sequence, book.asks) == (7, {"169.000": "8"})
