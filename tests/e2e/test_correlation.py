"""A client's id leads to its order, and the order's id through every log and store, from REST to S3."""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from local.demo.listen import Listener
from local.venue import Venue
from tests.e2e.market import Market, Trader, eventually

pytestmark = pytest.mark.venue

OpenAccount = Callable[..., Trader]


def lines(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Every line of a log that is a JSON object."""
    for text in texts:
        with suppress(ValueError):
            told = json.loads(text)
            if isinstance(told, dict):
                yield told


def functions_log(venue: Venue, function: str, order: str) -> list[str]:
    """What CloudWatch has of a function about an order."""
    group = f"/aws/cloudformation/venue-local/{function}Log"
    pages = venue.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(logGroupName=group, filterPattern=f'"{order}"')
    return [event["message"] for page in found for event in page["events"]]


def matchers_log(venue: Venue) -> list[str]:
    return (venue.folder / "log" / "matcher.log").read_text().splitlines()


def kinesis(venue: Venue) -> str:
    """All that is on the tape's stream."""
    client, stream = venue.client("kinesis"), venue.outputs["TapeStream"]
    found = ""
    for shard in client.list_shards(StreamName=stream)["Shards"]:
        iterator = client.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = client.get_records(ShardIterator=iterator, Limit=1000)
            found += "".join(record["Data"].decode() for record in answer["Records"])
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
    return found


@pytest.mark.parametrize("road", ["http", "queue"])
async def test_an_id_is_found_at_every_step(venue: Venue, market: Market, trader: OpenAccount, road: str) -> None:
    buyer, mine = trader(USD="100"), f"mine:{uuid4()}"
    listener = Listener(name=road, url=venue.stream_url, token=buyer.token, channel="user", product_id="ACME-USD")
    await listener.open()
    prefer = {"Prefer": "respond-async"} if road == "queue" else {}
    sent = await asyncio.to_thread(
        httpx.post,
        f"{venue.rest_url}/orders",
        json={"product_id": "ACME-USD", "side": "buy", "size": "1", "price": "9"},
        headers={"Authorization": f"Bearer {buyer.token}", "X-Correlation-Id": mine, **prefer},
        timeout=60,
        trust_env=False,
    )
    assert sent.status_code == (202 if road == "queue" else 200)
    assert sent.headers["X-Correlation-Id"] == mine
    order = sent.json()["id"]

    def logged(texts: Iterable[str], **wanted: object) -> bool:
        """Whether a line has all these fields; of a list, whether it names the order."""
        return any(
            all(line.get(name) == value or value in (line.get(name) or ()) for name, value in wanted.items())
            for line in lines(texts)
        )

    def told_by(function: str) -> bool:
        return logged(functions_log(venue, function, order), orders=order)

    # The door binds both ids; the matcher knows both; behind the journal the order's leads on.
    eventually(lambda: logged(functions_log(venue, "PlaceOrder", order), correlation_id=mine, order_id=order))
    about = {"orders": order} if road == "http" else {"order_id": order}
    eventually(lambda: logged(matchers_log(venue), correlation_id=mine, **about))
    with psycopg.connect(venue.database_url) as journal:
        eventually(lambda: journal.execute("SELECT 1 FROM orders WHERE id = %s", [order]).fetchone())
    for function in ("FanOut", "Broadcast", "RecordTape"):
        eventually(partial(told_by, function))
    eventually(lambda: order in kinesis(venue))
    await asyncio.to_thread(eventually, lambda: any(heard.message.get("order_id") == order for heard in listener.heard))
    eventually(lambda: order in {getattr(line.event, "order_id", None) for line in market.tape.lines()})
    assert buyer.call("DELETE", f"/orders/{order}").status == 200
    await listener.close()
    market.assert_books_balance()


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "naïve".encode().decode("latin-1"), '{"a":1}'])
def test_an_id_that_would_not_stand_in_a_log_is_refused(trader: OpenAccount, given: str) -> None:
    buyer = trader(USD="100")
    answer = httpx.post(
        f"{buyer._http.base_url}orders",
        json={"product_id": "ACME-USD", "side": "buy", "size": "1", "price": "9"},
        headers=[(b"Authorization", f"Bearer {buyer.token}".encode()), (b"X-Correlation-Id", given.encode("latin-1"))],
        timeout=60,
        trust_env=False,
    )
    assert (answer.status_code, answer.json()["field"]) == (400, "X-Correlation-Id")
    assert buyer.balances() == {"USD": ("100.00000000", "0.00000000")}
