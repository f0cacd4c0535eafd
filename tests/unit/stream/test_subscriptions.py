"""What a client says on its socket, and what it hears back at once."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from venue.errors import Unavailable
from venue.messages import LastMatch, Snapshot, Status, Ticker
from venue_aws.sessions import Session
from venue_aws.sockets import MESSAGE_BYTES_MAX, Gone, PushFailed
from venue_aws.subscriptions import SubscriptionDesk

PRODUCTS = [f"P{n}-USD" for n in range(20)]


class Memory:
    """The sessions of one test."""

    def __init__(self, *sessions: Session) -> None:
        self.sessions = {session.connection_id: session for session in sessions}
        self.down = False

    def find(self, connection_id: str) -> Session | None:
        return self.sessions.get(connection_id)

    def change(self, session: Session, *, add: Iterable[str], remove: Iterable[str]) -> None:
        if self.down:
            raise Unavailable("the sessions do not answer now")
        now = self.sessions[session.connection_id]
        topics = (session.topics | set(add)) - set(remove)
        self.sessions[session.connection_id] = msgspec.structs.replace(now, topics=topics)

    def take_orders_along(self, session: Session, *, wanted: bool) -> None:
        now = self.sessions[session.connection_id]
        self.sessions[session.connection_id] = msgspec.structs.replace(now, cancel_on_disconnect=wanted)

    def close(self, connection_id: str) -> int:
        return len(self.sessions.pop(connection_id).topics) + 1

    def topics(self, connection_id: str) -> frozenset[str]:
        return self.sessions[connection_id].topics


class Market:
    """Twenty products; P0 has a book and has traded."""

    def __init__(self) -> None:
        self.down = False

    def lists(self, product_id: str) -> bool:
        return product_id in PRODUCTS

    def status(self) -> Status:
        return Status(products=[], currencies=[])

    def snapshot(self, product_id: str) -> Snapshot:
        if self.down:
            raise Unavailable("market data does not answer now")
        return Snapshot(product_id=product_id, sequence=17, checksum=99, bids=[("1.00", "2")], asks=[])

    def last_match(self, product_id: str) -> LastMatch | None:
        if product_id != "P0-USD":
            return None
        return LastMatch(time="t", product_id=product_id, trade_id=3, side="buy", size="1", price="2")

    def ticker(self, product_id: str) -> Ticker | None:
        return Ticker(time="t", product_id=product_id, trade_id=3, price="2", last_size="1")


class Table:
    """One anonymous and one authenticated socket, and what each has heard."""

    def __init__(self) -> None:
        self.sessions = Memory(
            Session(connection_id="anonymous", account=None, expires_at=1, account_until=1),
            Session(connection_id="alice", account="a-1", expires_at=1, account_until=1),
        )
        self.market = Market()
        self.heard: list[dict[str, Any]] = []
        self.failure: Exception | None = None
        self.dropped: list[str] = []
        self.desk = SubscriptionDesk(sessions=self.sessions, market=self.market, sockets=self)

    def post(self, connection_id: str, data: bytes) -> None:
        if self.failure:
            raise self.failure
        self.heard.append({"to": connection_id, **json.loads(data)})

    def drop(self, connection_id: str) -> None:
        self.dropped.append(connection_id)

    def say(self, message: Any, *, by: str = "anonymous") -> list[dict[str, Any]]:
        """Say something; give what is heard in answer."""
        before = len(self.heard)
        self.desk.take(by, message if isinstance(message, str) else json.dumps(message))
        assert all(each.pop("to") == by for each in self.heard[before:])
        return self.heard[before:]


@pytest.fixture
def table() -> Table:
    return Table()


def subscribe(*channels: Any, products: Iterable[str] = ("P0-USD",)) -> dict[str, Any]:
    return {"type": "subscribe", "product_ids": list(products), "channels": list(channels)}


def unsubscribe(*channels: Any, products: Iterable[str] = ()) -> dict[str, Any]:
    return {"type": "unsubscribe", "product_ids": list(products), "channels": list(channels)}


def test_a_subscription_is_answered_with_all_subscriptions(table: Table) -> None:
    assert table.say(subscribe("full")) == [
        {"type": "subscriptions", "channels": [{"name": "full", "product_ids": ["P0-USD"]}]}
    ]
    (answer,) = table.say(subscribe({"name": "full", "product_ids": ["P1-USD"]}, products=()))
    assert answer["channels"] == [{"name": "full", "product_ids": ["P0-USD", "P1-USD"]}]
    assert table.sessions.topics("anonymous") == {"full#P0-USD", "full#P1-USD"}


def test_products_of_the_message_count_for_every_channel_and_those_of_a_channel_for_itself(table: Table) -> None:
    table.say(subscribe("full", {"name": "user", "product_ids": ["P1-USD"]}), by="alice")
    assert table.sessions.topics("alice") == {"full#P0-USD", "user#a-1", "user#a-1#P0-USD", "user#a-1#P1-USD"}


@pytest.mark.parametrize("channel", ["level2", "level2_batch"])
def test_level2_begins_with_a_snapshot(table: Table, channel: str) -> None:
    confirmed, snapshot = table.say(subscribe(channel))
    assert confirmed["type"] == "subscriptions"
    assert snapshot == {
        "type": "snapshot",
        "product_id": "P0-USD",
        "sequence": 17,
        "checksum": 99,
        "bids": [["1.00", "2"]],
        "asks": [],
    }


def test_subscribing_again_gives_a_new_snapshot(table: Table) -> None:
    table.say(subscribe("level2"))
    assert [message["type"] for message in table.say(subscribe("level2"))] == ["subscriptions", "snapshot"]


def test_matches_begin_with_the_last_match_where_there_is_one(table: Table) -> None:
    answers = table.say(subscribe("matches", products=["P0-USD", "P1-USD"]))
    assert [(message["type"], message.get("product_id")) for message in answers] == [
        ("subscriptions", None),
        ("last_match", "P0-USD"),
    ]


def test_the_ticker_begins_with_the_latest(table: Table) -> None:
    assert [message["type"] for message in table.say(subscribe("ticker"))] == ["subscriptions", "ticker"]


def test_status_needs_no_products_and_tells_them_once(table: Table) -> None:
    confirmed, status = table.say(subscribe("status", products=()))
    assert confirmed["channels"] == [{"name": "status"}]
    assert status == {"type": "status", "products": []}


def test_the_user_channel_needs_an_account(table: Table) -> None:
    (answer,) = table.say(subscribe("user"))
    assert answer == {
        "type": "error",
        "message": "Failed to subscribe",
        "reason": "user channel requires authentication",
    }
    assert table.sessions.topics("anonymous") == frozenset()


def test_the_user_channel_brings_wallets_as_well(table: Table) -> None:
    (answer,) = table.say(subscribe("user"), by="alice")
    assert answer["channels"] == [{"name": "user", "product_ids": ["P0-USD"]}]
    assert table.sessions.topics("alice") == {"user#a-1", "user#a-1#P0-USD"}


def test_nobody_can_name_another_account(table: Table) -> None:
    (answer,) = table.say(subscribe("user#a-1"))
    assert answer["reason"] == "what was sent is not a valid channel"
    (answer,) = table.say(subscribe("user", products=["a-1"]), by="alice")
    assert answer["reason"] == "a-1 is not a valid product"


def test_unsubscribing_takes_away_what_it_names(table: Table) -> None:
    table.say(subscribe("full", "ticker", products=["P0-USD", "P1-USD"]))
    (answer,) = table.say(unsubscribe("full", products=["P0-USD"]))
    assert answer["channels"] == [
        {"name": "full", "product_ids": ["P1-USD"]},
        {"name": "ticker", "product_ids": ["P0-USD", "P1-USD"]},
    ]


def test_unsubscribing_a_channel_without_products_takes_all_of_it(table: Table) -> None:
    table.say(subscribe("full", "user", products=["P0-USD", "P1-USD"]), by="alice")
    (answer,) = table.say(unsubscribe("full"), by="alice")
    assert [channel["name"] for channel in answer["channels"]] == ["user"]
    (answer,) = table.say(unsubscribe("user"), by="alice")
    assert answer["channels"] == []
    assert table.sessions.topics("alice") == frozenset()


def test_wallets_end_with_the_last_product_of_the_user_channel(table: Table) -> None:
    table.say(subscribe("user", products=["P0-USD", "P1-USD"]), by="alice")
    table.say(unsubscribe("user", products=["P0-USD"]), by="alice")
    assert "user#a-1" in table.sessions.topics("alice")
    table.say(unsubscribe("user", products=["P1-USD"]), by="alice")
    assert table.sessions.topics("alice") == frozenset()


def test_unsubscribing_from_nothing_is_fine(table: Table) -> None:
    (answer,) = table.say(unsubscribe("user", "full", "status"))
    assert answer == {"type": "subscriptions", "channels": []}


BAD: dict[str, tuple[Any, str]] = {
    "nothing": ("", "malformed JSON"),
    "half a message": ('{"type":"subscribe"', "malformed JSON"),
    "a number": ("1", "malformed message"),
    "nested without end": ("[" * 100_000, "malformed"),
    "no type": ({"channels": []}, "malformed message"),
    "another type": ({"type": "publish"}, "publish is not a valid type"),
    "a type that is no text": ({"type": 1}, "malformed message"),
    "channels that are no list": ({"type": "subscribe", "channels": "full"}, "malformed message"),
    "products that are no texts": ({"type": "subscribe", "product_ids": [1], "channels": ["full"]}, "malformed"),
    "no channels": ({"type": "subscribe", "product_ids": ["P0-USD"]}, "no channels given"),
    "an unknown channel": (subscribe("orders"), "orders is not a valid channel"),
    "a heartbeat": (subscribe("heartbeat"), "heartbeat is not served yet"),
    "an unknown product": (subscribe("full", products=["XXX-USD"]), "XXX-USD is not a valid product"),
    "no products": (subscribe("full", products=()), "full: no product_ids given"),
    "eleven products": (subscribe("full", products=PRODUCTS[:11]), "full: at most 10 products a channel"),
    "eleven channels": (subscribe(*["full"] * 11), "at most 10 channels a message"),
    "more than 128 KiB": (json.dumps(subscribe("é" * (MESSAGE_BYTES_MAX // 2)), ensure_ascii=False), "larger than"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_message_is_answered_with_an_error_and_changes_nothing(table: Table, case: str) -> None:
    message, reason = BAD[case]
    (answer,) = table.say(message)
    assert answer["type"] == "error"
    assert answer["message"].startswith("Failed to ")
    assert reason in answer["reason"]
    assert len(answer["reason"]) < 200
    assert table.sessions.topics("anonymous") == frozenset()
    # The socket is still good.
    assert table.say(subscribe("full"))[0]["type"] == "subscriptions"


def test_ten_products_a_channel_hold_over_several_messages(table: Table) -> None:
    table.say(subscribe("full", products=PRODUCTS[:10]))
    (answer,) = table.say(subscribe("full", products=PRODUCTS[10:11]))
    assert answer["reason"] == "full: at most 10 products a channel"
    assert len(table.sessions.topics("anonymous")) == 10


def test_one_bad_channel_spoils_the_whole_message(table: Table) -> None:
    assert [answer["type"] for answer in table.say(subscribe("full", "user"))] == ["error"]
    assert table.sessions.topics("anonymous") == frozenset()


def test_a_forgotten_connection_is_told_to_come_again(table: Table) -> None:
    (answer,) = table.say(subscribe("full"), by="stranger")
    assert "connect again" in answer["reason"]


def test_sessions_that_do_not_answer_are_told_as_an_error(table: Table) -> None:
    table.sessions.down = True
    (answer,) = table.say(subscribe("full"))
    assert answer["reason"] == "the sessions do not answer now"


def test_a_snapshot_that_cannot_be_had_is_told_and_the_rest_goes_on(table: Table) -> None:
    table.market.down = True
    answers = table.say(subscribe("level2", "matches"))
    assert [answer["type"] for answer in answers] == ["subscriptions", "error", "last_match"]
    assert "level2" in answers[1]["message"]
    assert answers[1]["reason"] == "market data does not answer now"


def test_what_clients_send_along_for_other_venues_is_left_alone(table: Table) -> None:
    (answer,) = table.say({**subscribe("full"), "signature": "x", "key": "y", "timestamp": "1"})
    assert answer["type"] == "subscriptions"


def test_a_client_that_is_gone_by_now_is_forgotten(table: Table) -> None:
    table.failure = Gone("anonymous")
    assert table.say(subscribe("full")) == []
    assert table.sessions.find("anonymous") is None
    assert table.dropped == []


def test_a_client_that_cannot_be_told_is_closed(table: Table) -> None:
    table.failure = PushFailed("timed out")
    assert table.say(subscribe("full")) == []
    assert table.sessions.find("anonymous") is None
    assert table.dropped == ["anonymous"]


def test_a_session_may_take_its_orders_along_and_is_told_so_from_then_on(table: Table) -> None:
    (told,) = table.say(subscribe("user") | {"cancel_on_disconnect": True}, by="alice")
    assert told["cancel_on_disconnect"] is True
    assert table.sessions.sessions["alice"].cancel_on_disconnect
    (still,) = table.say(unsubscribe("user"), by="alice")
    assert still["cancel_on_disconnect"] is True
    (no_more,) = table.say(subscribe("user") | {"cancel_on_disconnect": False}, by="alice")
    assert "cancel_on_disconnect" not in no_more
    assert not table.sessions.sessions["alice"].cancel_on_disconnect


def test_who_has_no_account_has_no_orders_to_take_along(table: Table) -> None:
    (told,) = table.say(subscribe("matches") | {"cancel_on_disconnect": True})
    assert (told["type"], told["reason"]) == ("error", "cancel_on_disconnect requires authentication")
    assert table.sessions.topics("anonymous") == frozenset()


def test_whether_orders_are_taken_along_is_a_boolean(table: Table) -> None:
    (told,) = table.say(subscribe("user") | {"cancel_on_disconnect": "yes"}, by="alice")
    assert told["type"] == "error"
    assert not table.sessions.sessions["alice"].cancel_on_disconnect
