"""The digest: the same for the same state, another for any other."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from matcher.core.engine import Engine
from tests.unit.core.floor import ACME_USD, Floor
from venue.commands import AnyCommand, Deposit, ListProduct, PlaceOrder

ROOT = Path(__file__).parents[3]
ORDER = PlaceOrder(order_id="o", account="ann", product_id="ACME-USD", side="buy", price=1, size=5, hold=5)


def busy_floor() -> Floor:
    floor = Floor()
    for number in range(50):
        account = f"account-{number}"
        floor.apply(Deposit(transfer_id=f"t{number}", account=account, asset="USD", amount=5))
        floor.buy(f"b{number}", 5, 90 + number % 5, account=account, maker_bps=3)
    for number in range(30):
        floor.sell(f"s{number}", 7, 92)
    return floor


def test_engines_with_the_same_history_have_the_same_digest() -> None:
    assert busy_floor().engine.digest() == busy_floor().engine.digest()


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_digest_is_the_same_in_every_process(seed: str) -> None:
    # Another seed, another order of every set of strings: none of it may show.
    program = "from tests.unit.core.test_digest import busy_floor; print(busy_floor().engine.digest())"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    answer = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, check=True)
    assert answer.stdout.decode().strip() == busy_floor().engine.digest()


def test_the_order_in_which_products_were_listed_does_not_show() -> None:
    engines = Engine(), Engine()
    products = [ACME_USD, msgspec.structs.replace(ACME_USD, id="OTHER-USD")]
    for engine, order in zip(engines, (products, products[::-1]), strict=True):
        for product in order:
            engine.apply(ListProduct(product=product))
    assert engines[0].digest() == engines[1].digest()


def test_every_command_that_changes_something_changes_the_digest() -> None:
    floor = Floor()
    seen = {Engine().digest(), floor.engine.digest()}
    commands: list[AnyCommand] = [
        Deposit(transfer_id="t", account="ann", asset="USD", amount=5),
        Deposit(transfer_id="u", account="ann", asset="USD", amount=5),
        ORDER,
        msgspec.structs.replace(ORDER, order_id="p"),
        msgspec.structs.replace(ORDER, order_id="q", side="sell"),
        msgspec.structs.replace(ORDER, order_id="r", size=0),
        ListProduct(product=msgspec.structs.replace(ACME_USD, taker_bps=9)),
    ]
    for command in commands:
        floor.apply(command)
        assert floor.engine.digest() not in seen
        seen.add(floor.engine.digest())


def test_a_fee_total_that_rounds_to_the_same_fee_still_shows() -> None:
    engine = Engine()
    engine.apply(ListProduct(product=ACME_USD))
    engine.apply(ORDER)
    book = engine.book("ACME-USD")
    assert book is not None
    (order,) = book.orders()
    order.weighted, order.fees = 1, 1
    view, digest = order.view(), engine.digest()
    order.weighted = 2
    assert order.view() == view
    assert engine.digest() != digest
