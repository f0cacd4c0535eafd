"""What listeners are told of each event, and how it is conflated."""

from typing import Any

import msgspec
import pytest

from tests.unit.stream import tape
from tests.unit.stream.tape import record
from venue import messages
from venue.feed import publications
from venue.identity import wallet_id_of
from venue.ledger import FEES, WORLD
from venue.wire import TapeRecord, WalletChanged

TIME = "2023-11-14T22:13:20.123456Z"


def told(*records: TapeRecord) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    return [(each.topics, msgspec.json.decode(messages.encode(each.message))) for each in publications(records)]


def heard(topic: str, *records: TapeRecord) -> list[dict[str, Any]]:
    return [message for topics, message in told(*records) if topic in topics]


def test_a_received_order_is_told_publicly_without_what_is_its_owners() -> None:
    (message,) = heard("full#BTC-USD", record(tape.received()))
    assert message == {
        "type": "received",
        "time": TIME,
        "product_id": "BTC-USD",
        "sequence": 1,
        "order_id": "order-1",
        "side": "buy",
        "order_type": "limit",
        "price": "40000.00",
        "size": "1.5000",
    }


def test_its_owner_hears_a_received_order_with_the_own_id_and_the_private_sequence() -> None:
    (message,) = heard("user#alice#BTC-USD", record(tape.received()))
    assert message["client-oid"] == "mine-1"
    assert message["user_sequence"] == 7


def test_a_market_order_by_funds_is_told_with_its_funds_only() -> None:
    market = tape.received(type="market", price=None, size=None, funds=12_345_000_000)
    (message,) = heard("full#BTC-USD", record(market))
    assert message["order_type"] == "market"
    assert message["funds"] == "123.45000000"
    assert {"price", "size"}.isdisjoint(message)


def test_a_resting_order_is_told_with_what_remains() -> None:
    (public,) = heard("full#BTC-USD", record(tape.opened()))
    (private,) = heard("user#alice#BTC-USD", record(tape.opened()))
    assert public == {
        "type": "open",
        "time": TIME,
        "product_id": "BTC-USD",
        "sequence": 2,
        "order_id": "order-1",
        "side": "buy",
        "price": "40000.00",
        "remaining_size": "0.5000",
    }
    assert private == {**public, "user_sequence": 8}


def test_a_trade_is_told_at_the_makers_price_and_side_to_matches_and_full() -> None:
    expected = {
        "type": "match",
        "time": TIME,
        "product_id": "BTC-USD",
        "sequence": 3,
        "trade_id": 10,
        "maker_order_id": "order-m",
        "taker_order_id": "order-1",
        "side": "sell",
        "price": "39999.50",
        "size": "1.0000",
    }
    assert heard("matches#BTC-USD", record(tape.traded())) == [expected]
    assert heard("full#BTC-USD", record(tape.traded())) == [expected]


def test_maker_and_taker_each_hear_their_own_fee_and_sequence() -> None:
    (makers,) = heard("user#bob#BTC-USD", record(tape.traded()))
    (takers,) = heard("user#alice#BTC-USD", record(tape.traded()))
    assert (makers["liquidity"], makers["fee"], makers["user_sequence"]) == ("M", "39.99950000", 21)
    assert (takers["liquidity"], takers["fee"], takers["user_sequence"]) == ("T", "79.99900000", 9)
    assert makers["maker_fee_rate"] == "0.0010"
    assert takers["taker_fee_rate"] == "0.0020"
    assert "taker_fee_rate" not in makers
    assert "maker_fee_rate" not in takers


def test_an_account_that_trades_with_itself_hears_both_sides() -> None:
    heard_twice = heard("user#bob#BTC-USD", record(tape.traded(taker_account="bob")))
    assert [message["user_sequence"] for message in heard_twice] == [21, 9]


def test_a_finished_order_is_told_with_its_reason() -> None:
    (public,) = heard("full#BTC-USD", record(tape.done()))
    (private,) = heard("user#alice#BTC-USD", record(tape.done()))
    assert public == {
        "type": "done",
        "time": TIME,
        "product_id": "BTC-USD",
        "sequence": 4,
        "order_id": "order-1",
        "side": "buy",
        "reason": "canceled",
        "price": "40000.00",
        "remaining_size": "0.5000",
    }
    assert private == {**public, "user_sequence": 10}


def test_a_finished_market_order_has_neither_price_nor_remaining_size() -> None:
    (message,) = heard("full#BTC-USD", record(tape.done(price=None, remaining=0, reason="filled")))
    assert {"price", "remaining_size"}.isdisjoint(message)


def test_a_refused_order_is_told_to_its_owner_only() -> None:
    assert told(record(tape.refused())) == [
        (
            ("user#alice#BTC-USD",),
            {
                "type": "rejected",
                "time": TIME,
                "product_id": "BTC-USD",
                "order_id": "order-2",
                "side": "buy",
                "order_type": "market",
                "time_in_force": "IOC",
                "reason": "no_liquidity",
                "funds": "123.45000000",
                "user_sequence": 11,
            },
        )
    ]


def test_an_order_for_an_unknown_product_is_refused_without_numbers() -> None:
    unknown = tape.refused(product_id="XXX-USD", reason="unknown_product")
    ((topics, message),) = told(record(unknown, product=None))
    assert topics == ("user#alice",)
    assert message["product_id"] == "XXX-USD"
    assert {"price", "size", "funds"}.isdisjoint(message)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (tape.deposited(), {"type": "deposit", "id": "t-1", "amount": "1000.00000000", "user_sequence": 1}),
        (tape.deposit_refused(), {"type": "deposit_rejected", "id": "t-2", "reason": "bad_amount", "user_sequence": 2}),
        (tape.cancel_refused(), {"type": "cancel_rejected", "order_id": "order-9", "reason": "not_found"}),
    ],
)
def test_private_events_without_a_product_reach_the_accounts_own_topic(event: Any, expected: dict[str, Any]) -> None:
    ((topics, message),) = told(record(event, product=None))
    assert topics == ("user#alice",)
    assert message.items() >= expected.items()
    assert message["time"] == TIME


@pytest.mark.parametrize("event", [tape.listed(), tape.listing_refused()])
def test_a_listing_is_told_to_nobody(event: Any) -> None:
    assert told(record(event)) == []
    assert told(record(event, product=None)) == []


def test_levels_are_told_once_as_they_were_last_and_absolute() -> None:
    first = record(tape.opened(5), tape.level(5, 4_000_000, 20_000), tape.level(5, 4_000_100, 1, "sell"))
    second = record(tape.opened(6), tape.level(6, 4_000_000, 0), batch=2)
    assert heard("level2#BTC-USD", first, second) == [
        {
            "type": "l2update",
            "product_id": "BTC-USD",
            "time": TIME,
            "first_sequence": 5,
            "sequence": 6,
            "changes": [["sell", "40001.00", "0.0001"], ["buy", "40000.00", "0.0000"]],
        }
    ]
    assert heard("level2_batch#BTC-USD", first, second) == heard("level2#BTC-USD", first, second)


def test_an_update_without_changes_is_told_so_that_sequences_leave_no_gap() -> None:
    (update,) = heard("level2#BTC-USD", record(tape.received(8), tape.done(9)))
    assert (update["first_sequence"], update["sequence"], update["changes"]) == (8, 9, [])


def test_many_levels_are_told_in_several_messages_of_the_same_sequences() -> None:
    levels = [tape.level(5, price, 1) for price in range(1, 2501)]
    updates = heard("level2#BTC-USD", record(tape.opened(5), *levels))
    assert [len(update["changes"]) for update in updates] == [1000, 1000, 500]
    assert {(update["first_sequence"], update["sequence"]) for update in updates} == {(5, 5)}
    assert len({price for update in updates for _, price, _ in update["changes"]}) == 2500


def test_the_ticker_is_the_last_trade_seen_from_the_taker() -> None:
    trades = [tape.traded(3), tape.traded(4, trade_id=11, price=4_000_000, side="buy")]
    assert heard("ticker#BTC-USD", record(*trades)) == [
        {
            "type": "ticker",
            "time": TIME,
            "product_id": "BTC-USD",
            "sequence": 4,
            "trade_id": 11,
            "side": "sell",
            "price": "40000.00",
            "last_size": "1.0000",
        }
    ]


def test_products_do_not_mix() -> None:
    acme = tape.opened(5, product_id="ACME-USD", price=20_001, remaining=3)
    both = [record(tape.opened(2)), record(acme, product=tape.ACME_USD, part=1)]
    (message,) = heard("full#ACME-USD", *both)
    assert (message["price"], message["remaining_size"]) == ("100.005", "3")
    assert [message["sequence"] for message in heard("full#BTC-USD", *both)] == [2]


def test_a_record_that_comes_twice_is_told_once() -> None:
    twice = record(tape.traded())
    assert told(twice, twice) == told(twice)


def test_a_trade_is_told_before_the_levels_it_left() -> None:
    kinds = [message["type"] for _, message in told(record(tape.traded(), tape.level(3, 1, 0), tape.done()))]
    assert kinds.index("match") < kinds.index("done") < kinds.index("l2update") < kinds.index("ticker")


def wallets(*changes: WalletChanged, batch: int = 1) -> TapeRecord:
    return TapeRecord(shard=0, batch=batch, part=9, at=tape.AT, assets=[tape.USD], wallets=list(changes))


def change(free: int, *, sequence: int, shard: int = 0, account: str = "alice", asset: str = "USD") -> WalletChanged:
    return WalletChanged(
        account=account, asset=asset, free=free, held=50_000_000, shard=shard, sequence=sequence, at=tape.AT
    )


def test_a_wallet_is_told_with_free_held_and_both() -> None:
    assert told(wallets(change(100_000_000, sequence=4))) == [
        (
            ("user#alice",),
            {
                "type": "wallet",
                "time": TIME,
                "account_id": wallet_id_of("alice", "USD"),
                "currency": "USD",
                "available": "1.00000000",
                "hold": "0.50000000",
                "balance": "1.50000000",
                "shard": 0,
                "sequence": 4,
            },
        )
    ]


def test_a_wallet_is_told_once_as_it_was_last_even_when_an_older_one_comes_late() -> None:
    messages_told = heard(
        "user#alice",
        wallets(change(3, sequence=3)),
        wallets(change(5, sequence=5), batch=2),
        wallets(change(4, sequence=4), batch=3),
    )
    assert [message["sequence"] for message in messages_told] == [5]


def test_a_wallet_of_an_asset_without_rules_is_not_told() -> None:
    assert told(wallets(change(1, sequence=1, asset="XXX"))) == []


def test_the_venues_own_wallets_are_told_to_nobody() -> None:
    assert told(wallets(change(1, sequence=1, account=WORLD), change(1, sequence=1, account=FEES))) == []


def test_no_public_message_names_an_account() -> None:
    everything = record(tape.received(), tape.opened(), tape.traded(), tape.done(), tape.refused(), tape.level(4, 1, 1))
    public = [message for topics, message in told(everything) if not topics[0].startswith("user#")]
    assert len(public) == 6
    text = str(public)
    assert "alice" not in text
    assert "bob" not in text
    assert "mine-1" not in text
