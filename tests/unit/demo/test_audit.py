"""The audit can fail: every planted mismatch is found, and named."""

from typing import Any

import msgspec
import pytest

from local.demo.audit import Check, audit, imbalance
from local.demo.evidence import Evidence, PrivateFill, Span, Trade


def trade(number: int, **change: Any) -> Trade:
    made = Trade(number, 10 + number, 33_800 + number, 5 * number, f"maker-{number}", f"taker-{number}")
    return msgspec.structs.replace(made, **change)


FILLS = [
    fill
    for number in (1, 2, 3)
    for fill in (PrivateFill(number, "ann", f"maker-{number}"), PrivateFill(number, "bob", f"taker-{number}"))
]
BALANCES = {
    ("ann", "USD"): (700, 40),
    ("bob", "USD"): (250, 0),
    ("venue:fees", "USD"): (10, 0),
    ("venue:world", "USD"): (-1000, 0),
    ("ann", "ACME"): (5, 0),
    ("bob", "ACME"): (3, 2),
    ("venue:world", "ACME"): (-10, 0),
}
BOOK = ({"168.995": "12", "168.990": "3"}, {"169.005": "8"})
RIGHT = Evidence(
    span=Span(7, 14),
    journal=[trade(1), trade(2), trade(3)],
    websocket=[trade(2), trade(1), trade(3)],
    tape=[trade(1), trade(2), trade(3)],
    ticker=[1, 3],
    journal_fills=FILLS,
    websocket_fills=FILLS[::-1],
    journal_sequences=range(8, 15),
    stream_sequences=range(8, 15),
    tape_sequences=range(8, 15),
    acknowledged=["a", "b"],
    journal_orders=["b", "a"],
    wallets=BALANCES,
    ledger=dict(BALANCES),
    told={("ann", "USD"): (700, 40), ("bob", "ACME"): (3, 2)},
    lost=[],
    rebuilt=BOOK,
    shown=BOOK,
    resting=BOOK,
)


def failures(**planted: Any) -> list[Check]:
    return [check for check in audit(msgspec.structs.replace(RIGHT, **planted)) if not check.passed]


def test_a_right_run_passes_every_check() -> None:
    assert failures() == []
    assert len(audit(RIGHT)) == 16


def test_a_message_delivered_twice_is_no_second_trade() -> None:
    assert failures(websocket=[trade(1), trade(1), trade(2), trade(3)]) == []


@pytest.mark.parametrize(
    ("planted", "question", "finding"),
    [
        ({"websocket": [trade(1), trade(3)]}, "Trades by WebSocket", "1 missing, first: trade 2"),
        ({"tape": [trade(1), trade(2)]}, "Trades by tape", "1 missing, first: trade 3"),
        ({"tape": [trade(1), trade(2), trade(2), trade(3)]}, "Trades by tape", "1 told twice, first: trade 2"),
        ({"journal": [trade(1), trade(2)]}, "Trades by", "1 not in Aurora, first: trade 3"),
        (
            {"websocket": [trade(1), trade(2), trade(3, size=14)]},
            "Trades by WebSocket",
            "1 missing, first: trade 3; 1 not",
        ),
        ({"websocket": [trade(1), trade(2, price=1), trade(3)]}, "Trades by WebSocket", "first: trade 2"),
        ({"ticker": [1, 3, 2]}, "ticker's last word", "it says 2, the last trade is 3"),
        ({"ticker": []}, "ticker's last word", "it says None, the last trade is 3"),
        ({"websocket_fills": FILLS[1:]}, "reached their owners", "1 not delivered, first: trade 1 to ann"),
        ({"websocket_fills": [*FILLS, PrivateFill(2, "eve", "maker-2")]}, "nobody else", "first: trade 2 to eve"),
        ({"stream_sequences": [8, 9, 10, 12, 13, 14]}, "no gap on the full channel", "1 missing, first 11"),
        ({"stream_sequences": range(8, 14)}, "no gap on the full channel", "1 missing, first 14"),
        ({"journal_sequences": [8, 9, 10, 11, 13, 14]}, "no gap on the journal", "1 missing, first 12"),
        ({"told": {("ann", "USD"): (700, 39)}}, "trader heard", "ann USD: heard 700 free 39 held, wallet 700 40"),
        ({"tape_sequences": range(9, 15)}, "no gap on the tape", "1 missing, first 8"),
        ({"lost": ["level2: closed with 1001"]}, "session lasted", "level2: closed with 1001"),
        ({"acknowledged": ["a", "b", "c"]}, "acknowledged order is in the journal", "1 lost, first c"),
        ({"acknowledged": ["a"]}, "acknowledged order is in the journal", "never answered, first b"),
        ({"wallets": BALANCES | {("bob", "USD"): (249, 0)}}, "sum of its ledger", "bob USD: wallet 249 free 0 held"),
        ({"wallets": BALANCES | {("bob", "USD"): (249, 1)}}, "sum of its ledger", "bob USD: wallet 249 free 1 held"),
        ({"ledger": BALANCES | {("eve", "USD"): (0, 1)}}, "sum of its ledger", "eve USD: wallet 0 free 0 held"),
        ({"ledger": BALANCES | {("ann", "ACME"): (6, 0)}}, "sums to zero in the ledger", "ACME is off by 1 minor"),
        ({"wallets": BALANCES | {("ann", "USD"): (699, 40)}}, "sums to zero in the wallets", "USD is off by -1 minor"),
        ({"wallets": BALANCES | {("ann", "ACME"): (-1, 6)}}, "below zero", "ann ACME"),
        ({"rebuilt": ({"168.995": "12"}, BOOK[1])}, "rebuilt by a client", "bid 168.990: nothing, by REST 3"),
        ({"shown": (BOOK[0], {"169.005": "9"})}, "rebuilt by a client", "ask 169.005: 8, by REST 9"),
        ({"resting": (BOOK[0], {})}, "open orders in the journal", "ask 169.005: nothing, by REST 8"),
    ],
)
def test_a_planted_mismatch_is_found(planted: dict[str, Any], question: str, finding: str) -> None:
    found = [check for check in failures(**planted) if question in check.question]
    assert found, f"no check that asks about {question!r} failed"
    assert any(finding in check.finding for check in found), found


def test_the_imbalance_is_given_for_every_asset() -> None:
    assert imbalance(BALANCES) == {"USD": 0, "ACME": 0}
    assert imbalance(BALANCES | {("bob", "USD"): (252, 0)}) == {"USD": 2, "ACME": 0}
