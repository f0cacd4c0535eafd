"""What a matcher answers over HTTP."""

from collections.abc import Iterator
from uuid import uuid4

import msgspec
import pytest

from tests.cluster.database import NewDatabase
from tests.cluster.flow import limit
from tests.cluster.process import MatcherProcess, raw_http
from tests.integration.matcher.conftest import StartMatcher
from venue import wire
from venue.commands import CancelAll, CancelOrder, Deposit


@pytest.fixture
def matcher(start_matcher: StartMatcher) -> MatcherProcess:
    return start_matcher().wait_until_ready()


def test_an_order_that_rests_is_answered_as_open(matcher: MatcherProcess) -> None:
    order = limit("buy", 100, 5)
    outcome = matcher.submit(order)
    assert [(each.order_id, each.status, each.hold) for each in outcome.orders] == [
        (order.order_id, "open", order.hold)
    ]
    assert (outcome.fills, outcome.refused, outcome.replayed) == ([], None, False)


def test_an_order_that_trades_is_answered_with_its_fills(matcher: MatcherProcess) -> None:
    matcher.submit(limit("sell", 100, 5, account="bob"))
    outcome = matcher.submit(limit("buy", 120, 5))
    assert outcome.orders[0].status == "done"
    assert [(fill.price, fill.size, fill.liquidity, fill.side) for fill in outcome.fills] == [(100, 5, "T", "buy")]


def test_a_refusal_by_rule_is_an_outcome(matcher: MatcherProcess) -> None:
    outcome = matcher.submit(msgspec.structs.replace(limit("buy", 100, 5), hold=1))
    assert outcome.refused == "insufficient_hold"
    assert [order.status for order in outcome.orders] == ["rejected"]


def test_an_order_sent_again_is_answered_as_it_is_now_and_not_done_again(
    matcher: MatcherProcess, database: NewDatabase
) -> None:
    order = limit("buy", 100, 5)
    matcher.submit(order)
    matcher.submit(limit("sell", 100, 2, account="bob"))
    again = matcher.submit(order)
    assert again.replayed
    assert (again.orders[0].filled, [fill.size for fill in again.fills]) == (2, [2])
    assert database.rows("SELECT count(*) FROM trades") == [(1,)]


def test_a_refused_order_sent_again_is_refused_for_the_same_reason(matcher: MatcherProcess) -> None:
    order = msgspec.structs.replace(limit("buy", 100, 5), hold=1)
    first, again = matcher.submit(order), matcher.submit(order)
    assert (again.replayed, again.refused) == (True, first.refused)


def test_an_order_id_of_another_account_shows_nothing_of_that_order(matcher: MatcherProcess) -> None:
    order = limit("buy", 100, 5)
    matcher.submit(order)
    outcome = matcher.submit(msgspec.structs.replace(order, account="mallory"))
    assert (outcome.orders, outcome.fills, outcome.refused) == ([], [], "order_id_taken")


def test_cancels_and_deposits_are_answered(matcher: MatcherProcess) -> None:
    order, other = limit("buy", 100, 5), limit("buy", 101, 5)
    matcher.submit_all(order, other)
    cancel = CancelOrder(order_id=order.order_id, account="alice")
    assert matcher.submit(cancel).orders[0].done_reason == "canceled"
    assert matcher.submit(cancel).refused == "order_done"
    assert matcher.submit(msgspec.structs.replace(cancel, account="bob")).refused == "not_found"
    assert [each.order_id for each in matcher.submit(CancelAll(account="alice")).orders] == [other.order_id]
    deposit = Deposit(transfer_id=str(uuid4()), account="alice", asset="USD", amount=100)
    assert [each.replayed for each in matcher.submit_all(deposit, deposit)] == [False, True]


def test_an_array_is_answered_in_its_order(matcher: MatcherProcess) -> None:
    orders = [limit("buy", 100 + i, 1) for i in range(64)]
    outcomes = matcher.submit_all(*orders)
    assert [each.orders[0].order_id for each in outcomes] == [order.order_id for order in orders]


def _bodies() -> Iterator[tuple[str, bytes]]:
    order = msgspec.to_builtins(limit("buy", 100, 5))
    yield "nothing", b""
    yield "no JSON", b"{"
    yield "another type", b'"place"'
    yield "bytes that are not UTF-8", b'{"kind":"place","account":"\xff"}'
    yield "brackets without end", b"[" * 200_000
    yield "nested without end", b'{"kind":"place","more":' + b"[" * 200_000
    yield "an unknown kind", b'{"kind":"withdraw"}'
    yield "half a product", b'{"kind":"list","product":{}}'
    yield "no fields", b'{"kind":"place"}'
    yield "an empty array", b"[]"
    yield "too long an array", wire.encode([order] * 65)
    yield "an array with one bad command", wire.encode([order, order | {"side": "hold"}])
    wrong = {
        "order_id": ["1", order["order_id"].upper(), order["order_id"] + "\n", 7],
        "account": ["", "a" * 129, "a\x00b", "a\nb", None],
        "product_id": ["", "\x00"],
        "client_oid": ["\x00", "x" * 129],
        "price": ["100", 1.5, "NaN", True],
        "size": [[], {}],
        "side": ["BUY", ""],
    }
    for field, values in wrong.items():
        for value in values:
            yield f"{field}={value!r:.20}", wire.encode(order | {field: value})


@pytest.mark.parametrize(("_", "body"), [pytest.param(*each, id=each[0]) for each in _bodies()])
def test_what_cannot_be_read_is_refused_with_400(shared_matcher: MatcherProcess, _: str, body: bytes) -> None:
    before = shared_matcher.state(digest=True)
    answer = shared_matcher.request("POST", "/shards/0/commands", body)
    assert (answer.status, answer.data["code"]) == (400, "malformed")
    assert shared_matcher.state(digest=True)["digest"] == before["digest"]


@pytest.mark.parametrize("field", ["price", "size", "hold", "funds", "deadline"])
@pytest.mark.parametrize("number", [10**40, -(10**40), -1, 2**63])
def test_a_number_of_any_size_is_answered_and_hurts_nobody(
    shared_matcher: MatcherProcess, field: str, number: int
) -> None:
    order = msgspec.to_builtins(limit("buy", 100, 5))
    answer = shared_matcher.request("POST", "/shards/0/commands", wire.encode(order | {field: number}))
    assert answer.status in (200, 400)
    assert shared_matcher.submit(limit("buy", 90, 1)).refused is None


def test_the_books_are_digested_for_those_only_who_ask_for_it(shared_matcher: MatcherProcess) -> None:
    shared_matcher.submit(limit("buy", 90, 1))
    plain, whole = shared_matcher.state(), shared_matcher.state(digest=True)
    assert "digest" not in plain
    assert {name: whole[name] for name in plain} == plain
    assert whole.keys() - plain.keys() == {"digest"}


def test_a_body_of_ten_megabytes_is_refused_without_reading_it_all(shared_matcher: MatcherProcess) -> None:
    size = 10 * 1024 * 1024
    head = b"POST /shards/0/commands HTTP/1.1\r\nhost: matcher\r\ncontent-length: %d\r\n\r\n" % size
    assert raw_http(shared_matcher.port, head + b" " * size).startswith(b"HTTP/1.1 413")
    assert shared_matcher.is_ready()


def test_a_body_in_many_chunks_is_one_body(shared_matcher: MatcherProcess) -> None:
    body = wire.encode([limit("buy", 100, 1) for _ in range(64)])
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:9000], body[9000:]))
    head = (
        b"POST /shards/0/commands HTTP/1.1\r\nhost: matcher\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    )
    assert raw_http(shared_matcher.port, head + chunks + b"0\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_other_methods_and_paths_do_not_exist(shared_matcher: MatcherProcess) -> None:
    assert shared_matcher.request("GET", "/shards/0/commands").status == 405
    assert shared_matcher.request("POST", "/orders", b"{}").status == 404
    assert shared_matcher.request("POST", "/commands", b"{}").status == 404


def test_a_shard_that_there_is_not_is_not_found(shared_matcher: MatcherProcess) -> None:
    for method, path in (("POST", "commands"), ("GET", "state")):
        answer = shared_matcher.request(method, f"/shards/1/{path}", wire.encode(limit("buy", 100, 1)))
        assert (answer.status, answer.data["code"]) == (404, "unknown_shard")


def test_a_matcher_without_a_database_is_live_and_starting(start_matcher: StartMatcher) -> None:
    matcher = start_matcher(PGPORT="1")
    matcher.wait_until(matcher.is_live)
    answer = matcher.post(limit("buy", 100, 1))
    assert (answer.status, answer.data["code"]) == (503, "starting")
    assert answer.headers["retry-after"] == "1"
    assert matcher.request("GET", "/ready").status == 503
    assert matcher.state()["serving"] is False
    assert matcher.terminate() == 0
