"""A product's grid: which prices and sizes exist, and how they are written."""

import msgspec
import pytest

from venue import wire
from venue.products import Asset, Product

USD = Asset(id="USD", name="US dollar", scale=8)
BTC = Asset(id="BTC", name="Bitcoin", scale=8)
ACME = Asset(id="ACME", name="Acme", scale=0)
# 0.01 USD; 0.0001 BTC
BTC_USD = Product(
    id="BTC-USD", base=BTC, quote=USD, tick_units=1_000_000, lot_units=10_000, size_min=2, size_max=50_000
)
# 0.005 USD; 1 ACME
ACME_USD = Product(id="ACME-USD", base=ACME, quote=USD, tick_units=500_000, lot_units=1, price_max=1_000)


def test_prices_and_sizes_are_parsed_to_ticks_and_lots() -> None:
    assert BTC_USD.parse_price("20000.01") == 2_000_001
    assert BTC_USD.parse_size("0.0123") == 123
    assert ACME_USD.parse_price("0.005") == 1
    assert ACME_USD.parse_size("7.0") == 7


def test_a_notional_is_exact() -> None:
    # 1.5 BTC at 20,000.01 USD
    assert BTC_USD.notional(2_000_001, 15_000) == 3_000_001_500_000
    # 3 ACME at 0.005 USD
    assert ACME_USD.notional(1, 3) == 1_500_000


@pytest.mark.parametrize("text", ["0.001", "0.0049", "1.0025"])
def test_a_price_off_tick_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a multiple of quote_increment 0\.005"):
        ACME_USD.parse_price(text)


@pytest.mark.parametrize("text", ["0", "5.005", "99999"])
def test_a_price_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be from 0\.005 to 5\.000"):
        ACME_USD.parse_price(text)


def test_a_size_off_lot_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not a multiple of base_increment 0\.0001"):
        BTC_USD.parse_size("0.00015")


@pytest.mark.parametrize("text", ["0", "0.0001", "5.0001"])
def test_a_size_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be from 0\.0002 to 5\.0000"):
        BTC_USD.parse_size(text)


def test_values_of_one_product_line_up() -> None:
    assert [ACME_USD.format_price(ticks) for ticks in (1, 2, 20_000)] == ["0.005", "0.010", "100.000"]
    assert [ACME_USD.format_size(lots) for lots in (1, 10)] == ["1", "10"]
    assert [BTC_USD.format_price(ticks) for ticks in (1, 100)] == ["0.01", "1.00"]
    assert [BTC_USD.format_size(lots) for lots in (1, 10_000)] == ["0.0001", "1.0000"]


def test_a_grid_finer_than_the_quote_assets_minor_unit_is_refused() -> None:
    cents = Asset(id="USD", name="US dollar", scale=2)
    with pytest.raises(ValueError, match="finer than the minor unit of USD"):
        Product(id="BTC-USD", base=BTC, quote=cents, tick_units=1, lot_units=10_000)


@pytest.mark.parametrize(
    "rules",
    [
        {"tick_units": 0},
        {"lot_units": 0},
        {"tick_units": -1},
        {"size_min": 0},
        {"size_min": 5, "size_max": 4},
        {"price_max": 0},
        {"base": Asset(id="X", name="X", scale=-1)},
        {"quote": Asset(id="X", name="X", scale=19)},
    ],
)
def test_rules_without_a_sense_are_refused(rules: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        msgspec.structs.replace(ACME_USD, **rules)


def test_a_product_travels_the_wire() -> None:
    assert wire.PRODUCT.decode(wire.encode(BTC_USD)) == BTC_USD


def test_rules_without_a_sense_are_refused_on_the_wire_as_well() -> None:
    with pytest.raises(msgspec.ValidationError, match="tick and lot must be positive"):
        wire.PRODUCT.decode(wire.encode(BTC_USD).replace(b'"lot_units":10000', b'"lot_units":0'))
