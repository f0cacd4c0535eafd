"""What the WebSocket listeners heard, as evidence and as figures. Pure: it reads what they wrote down."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from local.demo.book import Book, Change
from local.demo.evidence import PrivateFill, Trade
from local.demo.figures import Delay
from local.demo.listen import Heard, Json
from venue.money import parse_units
from venue.products import Product


def trades(heard: Iterable[Heard], product: Product) -> list[Trade]:
    """Give every match as it was received, repeats included."""
    return [_trade(each.message, product) for each in heard if each.message["type"] == "match"]


def _trade(message: Json, product: Product) -> Trade:
    return Trade(
        message["trade_id"],
        message["sequence"],
        product.parse_price(message["price"]),
        product.parse_size(message["size"]),
        message["maker_order_id"],
        message["taker_order_id"],
    )


def fills(heard: Iterable[Heard], account: str) -> list[PrivateFill]:
    """Give every fill that one account's user channel told, repeats included."""
    return [
        PrivateFill(
            each.message["trade_id"],
            account,
            each.message["maker_order_id" if each.message["liquidity"] == "M" else "taker_order_id"],
        )
        for each in heard
        if each.message["type"] == "match"
    ]


def tickers(heard: Iterable[Heard]) -> list[int]:
    """Give the number of each trade that the ticker channel told, as they came."""
    return [each.message["trade_id"] for each in heard if each.message["type"] == "ticker"]


def delays(heard: Iterable[Heard]) -> list[Delay]:
    """Give each fill's way from the matcher's clock to this socket, the first time that it came."""
    first: dict[tuple[object, ...], Delay] = {}
    for each in heard:
        if each.message["type"] == "match":
            key = (each.message["trade_id"], each.message.get("liquidity"))
            left = datetime.fromisoformat(each.message["time"]).timestamp()
            first.setdefault(key, Delay(each.at, (each.at - left) * 1000))
    return list(first.values())


def sequences(heard: Iterable[Heard]) -> list[int]:
    """Give the product sequences of the full channel, as they came."""
    sequenced = {"received", "open", "match", "change", "done"}
    return [each.message["sequence"] for each in heard if each.message["type"] in sequenced]


def balances(heard: Iterable[Heard], account: str, product: Product) -> dict[tuple[str, str], tuple[int, int]]:
    """Give the latest that one account was told of its wallets: (account, asset) -> (free, held), minor units."""
    scales = {asset.id: asset.scale for asset in (product.base, product.quote)}
    latest: dict[str, Json] = {}
    for each in heard:
        wallet = each.message
        if wallet["type"] == "wallet" and wallet["currency"] in scales:
            before = latest.setdefault(wallet["currency"], wallet)
            if wallet["sequence"] >= before["sequence"]:
                latest[wallet["currency"]] = wallet
    return {
        (account, asset): (
            parse_units(wallet["available"], scales[asset]),
            parse_units(wallet["hold"], scales[asset]),
        )
        for asset, wallet in latest.items()
    }


def rebuild(heard: Sequence[Heard]) -> tuple[Book, list[Change]]:
    """Rebuild the book as a client does, and give every change of a level with the time at which it was heard.

    An update may overtake the snapshot that it follows; one that the snapshot holds already is left out. A client
    that has missed one would subscribe again: here the book stops at the gap, and so differs from the venue's.
    """
    book, changes = Book(), list[Change]()
    snapshot = next((each.message for each in heard if each.message["type"] == "snapshot"), None)
    if snapshot is None:
        return book, changes
    book.restart(snapshot)
    for each in heard:
        update = each.message
        if update["type"] != "l2update":
            continue
        if update["first_sequence"] > book.sequence + 1:
            break
        if book.update(update["changes"], sequence=update["sequence"]):
            changes += [Change(each.at, side, float(price), float(size)) for side, price, size in update["changes"]]
    return book, changes
