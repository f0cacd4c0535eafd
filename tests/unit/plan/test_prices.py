"""The price list is whole, dated and sourced, and its tiers are counted as AWS counts them."""

import pytest

from infra.plan.prices import Price, load


def test_a_tier_is_paid_at_its_own_price() -> None:
    price = Price("million requests", [(333, 3.50), (1000, 2.80), (float("inf"), 2.38)], "https://example.com")

    assert price.of(0) == 0
    assert price.of(300) == 300 * 3.50
    assert price.of(333) == pytest.approx(333 * 3.50)
    assert price.of(1_200) == pytest.approx(333 * 3.50 + 667 * 2.80 + 200 * 2.38)


def test_every_price_has_a_source_and_tiers_that_end_nowhere() -> None:
    prices = load()

    for name, price in prices.by_name.items():
        assert price.source.startswith("https://aws.amazon.com/"), name
        ends = [end for end, _ in price.tiers]
        assert ends == sorted(ends), name
        assert ends[-1] == float("inf"), name
        assert all(usd > 0 for _, usd in price.tiers), name


def test_a_price_that_is_not_in_the_list_is_an_error() -> None:
    with pytest.raises(KeyError):
        load().of("a lunch", 1)
