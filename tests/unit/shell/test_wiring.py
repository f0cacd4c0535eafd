"""The environment and the catalogue: read once, checked, and named when wrong."""

from pathlib import Path

import pytest

from matcher.shell import wiring
from matcher.shell.catalogue import BadCatalogue, load

CATALOGUE = Path(__file__).parents[3] / "matcher" / "products.toml"


def test_only_the_database_has_to_be_named() -> None:
    settings = wiring.read({"PGHOST": "/run/postgres"})
    assert settings.database == wiring.Database(
        host="/run/postgres", port=5432, user="postgres", password=None, name="postgres"
    )
    assert (settings.redis, settings.order_queue_url, settings.events_queue_url) == (None, None, None)
    assert (settings.lease_s, settings.advertised_url) == (3.0, "http://127.0.0.1:8080")
    assert (settings.shards, settings.shards_max, settings.checkpoint_commands) == (1, 1, 100_000)
    assert settings.catalogue == CATALOGUE


def test_a_whole_environment_is_read() -> None:
    settings = wiring.read(
        {
            "PGHOST": "db", "PGPORT": "6432", "PGUSER": "matcher", "PGPASSWORD": "s", "PGDATABASE": "venue",
            "PGSSLMODE": "require", "REDIS_HOST": "cache", "REDIS_PORT": "6380", "REDIS_PASSWORD": "p",
            "REDIS_TLS": "true", "ORDER_QUEUE_URL": "https://orders.fifo", "EVENTS_QUEUE_URL": "https://events.fifo",
            "ADVERTISED_URL": "http://10.0.0.7:9000", "PORT": "9000", "SHARDS": "3", "SHARDS_MAX": "2",
            "CHECKPOINT_COMMANDS": "5000", "LEASE_SECONDS": "5",
            "AWS_REGION": "eu-west-1", "CATALOGUE": "/etc/products.toml", "LOG_LEVEL": "debug",
        }
    )  # fmt: skip
    assert settings.redis == wiring.RedisAddress(host="cache", port=6380, password="p", tls=True)
    assert settings.database.sslmode == "require"
    assert (settings.advertised_url, settings.port) == ("http://10.0.0.7:9000", 9000)
    assert (settings.shards, settings.shards_max, settings.checkpoint_commands) == (3, 2, 5000)
    assert (settings.region, settings.log_level, str(settings.catalogue)) == (
        "eu-west-1",
        "DEBUG",
        "/etc/products.toml",
    )


def test_behind_any_address_the_matcher_advertises_one_that_others_reach() -> None:
    url = wiring.read({"PGHOST": "db", "HOST": "0.0.0.0", "PORT": "9000"}).advertised_url  # noqa: S104
    assert url.startswith("http://")
    assert url.endswith(":9000")
    assert "0.0.0.0" not in url  # noqa: S104


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PGHOST", ""),
        ("PGPORT", "five"),
        ("PORT", "80.5"),
        ("LEASE_SECONDS", "soon"),
        ("LEASE_SECONDS", "0.1"),
        ("SHARDS", "a"),
        ("SHARDS", "0"),
        ("SHARDS_MAX", "0"),
        ("CHECKPOINT_COMMANDS", "10"),
        ("REDIS_TLS", "maybe"),
        ("PGSSLMODE", "please"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    environment = {"PGHOST": "db", "REDIS_HOST": "cache"} | {name: value}
    with pytest.raises(wiring.BadSettings, match=name):
        wiring.read(environment)


def test_the_catalogue_lists_the_venue_s_markets_with_exact_steps() -> None:
    products = {product.id: product for product in load(CATALOGUE, shards=1)}
    assert sorted(products) == ["ACME-USD", "BTC-USD", "ETH-USD"]
    assert products["ACME-USD"].format_price(1) == "0.005"
    assert products["BTC-USD"].format_size(1) == "0.0001"
    assert products["ETH-USD"].format_size(1) == "0.001"
    assert {(product.maker_bps, product.taker_bps) for product in products.values()} == {(10, 20)}


@pytest.mark.parametrize(
    "change",
    [
        ('base = "ACME"', 'base = "NONE"'),
        ('quote_increment = "0.005"', 'quote_increment = "-1"'),
        ('quote_increment = "0.005"', 'quote_increment = "0.000000001"'),
        ("maker_bps = 10", 'maker_bps = "ten"'),
        ("maker_bps = 10", "colour = 10"),
        ("scale = 8", "scale = 80"),
        ("[assets.USD]", "[assets.USD"),
        ('quote_increment = "0.005"', 'quote_increment = "0.005"\nshard = 1'),
    ],
)
def test_a_wrong_catalogue_is_refused_with_the_name_of_the_file(change: tuple[str, str], tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    text = CATALOGUE.read_text()
    assert change[0] in text
    file.write_text(text.replace(*change))
    with pytest.raises(BadCatalogue, match=r"wrong\.toml"):
        load(file, shards=1)


def test_a_catalogue_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCatalogue):
        load(tmp_path / "none.toml", shards=1)
