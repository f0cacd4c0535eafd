"""The demo on the venue: what it shows when all is well, and that it can fail."""

import json
from pathlib import Path

import pytest

from local.demo.__main__ import main
from local.venue import TRADERS, Venue
from tests.e2e.market import Market

pytestmark = pytest.mark.venue


def play(venue: Venue, results: Path, *, messages: int) -> int:
    """Run the demo as its command does; give the exit code."""
    options = {"--folder": venue.folder, "--results": results, "--messages": messages}
    return main([str(part) for option in options.items() for part in option])


def test_the_demo_plays_checks_and_tells(venue: Venue, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert play(venue, tmp_path, messages=150) == 0
    summary = json.loads((tmp_path / "summary.json").read_bytes())
    assert summary["orders_sent"] == summary["orders_acknowledged"] + sum(summary["refused"].values())
    assert summary["trades_journal"] == summary["trades_websocket"] == summary["trades_tape"] > 0
    assert summary["ledger_imbalance"] == 0
    assert all(check["passed"] for check in summary["checks"])
    assert f"{summary['trades_journal']} trades" in (tmp_path / "report.html").read_text()
    assert "All 16 checks passed" in capsys.readouterr().out
    assert all(venue.running.values())  # it was up before


def test_a_wallet_that_is_off_by_one_unit_fails_the_demo(
    venue: Venue, market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(venue, market, units=1)
    try:
        assert play(venue, tmp_path, messages=10) == 1
    finally:
        add(venue, market, units=-1)
    told = capsys.readouterr().out
    assert "2 of 16 checks failed" in told
    assert "trader-1 USD: wallet" in told
    assert "USD is off by 1 minor units" in told
    market.assert_books_balance()


def add(venue: Venue, market: Market, *, units: int) -> None:
    """Change a trader's wallet behind the ledger's back."""
    client = venue.client("dynamodb")
    client.update_item(
        TableName=venue.outputs["WalletsTable"],
        Key={"account": {"S": venue.account(TRADERS[0])}, "asset": {"S": "USD"}},
        UpdateExpression="ADD #free :units, held :zero",
        ExpressionAttributeNames={"#free": "free"},
        ExpressionAttributeValues={":units": {"N": str(units)}, ":zero": {"N": "0"}},
    )
    market.settle()
