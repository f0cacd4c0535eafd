"""The environment: read once, empty is missing, and what is missing says its name."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from venue_aws import wiring
from venue_aws.wiring import Settings, early


def test_settings_are_the_variables_of_the_same_name() -> None:
    settings = Settings.read({"WALLETS_TABLE": "w", "MATCHER_URL": "http://m", "PATH": "/bin", "STAGE": "dev"})
    assert (settings.wallets_table, settings.matcher_url, settings.stage) == ("w", "http://m", "dev")


def test_what_is_missing_or_empty_says_its_name_when_it_is_needed() -> None:
    settings = Settings.read({"HOLDS_TABLE": ""})
    for field in ("holds_table", "order_queue_url"):
        with pytest.raises(RuntimeError, match=field.upper()):
            settings.need(field)


@pytest.mark.parametrize("client", [wiring.sqs, wiring.secrets])
def test_who_waits_for_a_queue_or_a_secret_asks_once_and_not_for_long(client: Callable[[], Any]) -> None:
    config = client().meta.config
    assert config.retries["total_max_attempts"] == 1
    assert config.connect_timeout + config.read_timeout <= 2.5


@pytest.mark.parametrize(
    ("function", "unneeded"),
    [
        ("place_order", {"psycopg", "boto3", "pynamodb", "redis"}),
        ("cancel_order", {"psycopg", "boto3", "pynamodb", "redis"}),
        ("deposit", {"psycopg", "boto3", "pynamodb", "redis"}),
        ("market_data", {"psycopg", "boto3", "pynamodb"}),
        ("get_orders", {"boto3", "pynamodb"}),
    ],
)
def test_a_cold_start_imports_no_client_that_the_first_request_may_not_need(function: str, unneeded: set[str]) -> None:
    code = f"import sys, functions.{function}.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert unneeded & set(done.stdout.split()) == set()


def test_a_function_that_starts_on_lambda_builds_its_parts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def build() -> str:
        built.append("part")
        return "part"

    assert early(build) is build
    assert built == []
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    assert early(build)() == "part"
    assert built == ["part", "part"]


def test_what_cannot_be_built_early_is_left_for_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def build() -> str:
        raise RuntimeError("no secret yet")

    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    with pytest.raises(RuntimeError, match="no secret yet"):
        early(build)()
