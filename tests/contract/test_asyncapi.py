"""docs/api/asyncapi.yaml says what goes over the WebSocket, all of it, and nothing else."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from tests.unit.stream import tape
from tests.unit.stream.tape import record
from venue import feed, messages
from venue.feed import publications
from venue.messages import AnyMessage, Channel, Failure, LastMatch, Message, Snapshot, Status, Subscriptions, Ticker
from venue.wire import TapeRecord, WalletChanged
from venue_aws.answers import Answer
from venue_aws.quotes import CurrencyView, ProductView

DOCUMENT = Path(__file__).parents[2] / "docs" / "api" / "asyncapi.yaml"
FROM_CLIENTS = {"subscribe", "unsubscribe"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    return found


def validator(document: dict[str, Any], name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def raw(view: Answer) -> msgspec.Raw:
    return msgspec.Raw(view.model_dump_json().encode())


def told() -> list[Message]:
    """Everything that the tape can make one hear."""
    market_order = tape.received(type="market", price=None, size=None, funds=5, client_oid=None)
    change = WalletChanged(account="alice", asset="USD", free=-1, held=0, shard=0, sequence=1, at=tape.AT)
    records = [
        record(tape.listed(), tape.received(), market_order, tape.opened(), tape.traded(), tape.refused()),
        record(tape.done(), tape.done(price=None, reason="filled"), tape.level(5, 3, 0), tape.level(5, 4, 9), part=1),
        record(tape.deposited(), tape.deposit_refused(), tape.cancel_refused(), product=None, part=2),
        record(tape.refused(product_id="XXX-USD"), tape.listing_refused(), product=None, part=3),
        record(tape.stopped(), tape.woken(), tape.changed(None), tape.received(size=9, display_size=3), part=5),
        record(
            tape.changed(), tape.changed(6, shown=3), tape.opened(7, shown=3), tape.done(8, reason="expired"), part=6
        ),
        record(tape.amend_refused(), tape.status(), tape.status(until=None, reference=None), part=7),
        record(tape.indicated(), tape.indicated(price=None, volume=0, surplus=0), part=8),
        record(tape.switched(), tape.switched(deadline=None, fell=True), product=None, part=9),
        TapeRecord(shard=0, batch=1, part=4, at=tape.AT, assets=[tape.USD], wallets=[change]),
    ]
    return [each.message for each in publications(records)]


def answered() -> list[Message]:
    """Everything that a subscription can be answered with."""
    time = "2023-11-14T22:13:20.123456Z"
    return [
        Subscriptions(channels=[Channel("full", ["BTC-USD"]), Channel("status")]),
        Failure(message="Failed to subscribe", reason="why"),
        Status(products=[raw(ProductView.of(tape.BTC_USD, "halted"))], currencies=[raw(CurrencyView.of(tape.USD))]),
        Snapshot(product_id="BTC-USD", sequence=0, bids=[], asks=[]),
        Snapshot(product_id="BTC-USD", time=time, sequence=9, checksum=1, bids=[("1.00", "2")], asks=[("3", "4.5")]),
        LastMatch(product_id="BTC-USD", time=time, trade_id=1, side="buy", size="1", price="2"),
        Ticker(product_id="BTC-USD", time=time, trade_id=1, price="2", last_size="1", best_bid="1", best_ask="3"),
    ]


def test_every_message_is_as_its_schema_says(document: dict[str, Any]) -> None:
    for message in [*told(), *answered()]:
        said = msgspec.json.decode(messages.encode(message))
        validator(document, said["type"]).validate(said)


def test_every_schema_has_a_message_and_every_message_a_schema(document: dict[str, Any]) -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in get_args(AnyMessage)}
    assert set(document["components"]["messages"]) == kinds | FROM_CLIENTS
    assert set(document["channels"]["socket"]["messages"]) == kinds | FROM_CLIENTS
    # Not one of them is only claimed to exist: each was made and checked above.
    assert {str(message.__struct_config__.tag) for message in [*told(), *answered()]} == kinds


def test_every_member_of_a_schema_is_a_member_of_its_message(document: dict[str, Any]) -> None:
    for kind in get_args(AnyMessage):
        members = {"type", *(field.encode_name for field in msgspec.structs.fields(kind))}
        required = {"type", *(field.encode_name for field in msgspec.structs.fields(kind) if field.required)}
        schema = document["components"]["schemas"][kind.__struct_config__.tag]
        assert set(schema["properties"]) == members, kind
        assert set(schema["required"]) == required, kind


def test_the_schemas_refuse_what_is_not_as_they_say(document: dict[str, Any]) -> None:
    (good,) = [m for m in told() if isinstance(m, messages.Level2Update)]
    said = msgspec.json.decode(messages.encode(good))
    for broken in (
        {**said, "sequence": "5"},
        {**said, "time": "2023-11-14T22:13:20Z"},
        {**said, "account": "alice"},
        {**said, "changes": [["buy", "1.00"]]},
        {**said, "changes": [["buy", 1.0, "2"]]},
        {name: value for name, value in said.items() if name != "first_sequence"},
    ):
        with pytest.raises(ValidationError):
            validator(document, "l2update").validate(broken)


def test_the_channels_are_those_that_can_be_subscribed_to(document: dict[str, Any]) -> None:
    assert set(document["components"]["schemas"]["channel"]["enum"]) == feed.CHANNELS


@pytest.mark.parametrize(
    "message",
    [
        {"type": "subscribe", "product_ids": ["BTC-USD"], "channels": ["full", "user"]},
        {"type": "subscribe", "channels": [{"name": "level2", "product_ids": ["BTC-USD"]}, "status"]},
        {"type": "unsubscribe", "channels": ["full"]},
    ],
)
def test_what_a_client_may_say_is_described(document: dict[str, Any], message: dict[str, Any]) -> None:
    validator(document, message["type"]).validate(message)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if "$ref" in node else []
            return own + [found for value in node.values() for found in references(value)]
        if isinstance(node, list):
            return [found for value in node for found in references(value)]
        return []

    for reference in references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
