"""python -m local.record: records one real event for every function anew, from a venue that it brings up for that.

Each function is deployed with a handler around its own that keeps the event; then a small story is played through the
public API. What differs from venue to venue is replaced (see local.events), secrets first of all.
"""

import asyncio
import base64
import io
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from local import deploy
from local.demo.listen import Listener
from local.events import ACCOUNT, CLIENT, FOLDER, TOKEN, TRADER
from local.setup import ROOT
from local.venue import OPERATOR, LocalError, Venue

CLIENT_OID = "11111111-1111-4111-8111-111111111111"
_KEPT = ROOT / ".local" / "recording"
_HANDLER = """
import json, os, pathlib, time

import app


def handler(event, context):
    kept = pathlib.Path({folder!r}, f"{{time.time_ns()}}.json")
    kept.write_text(json.dumps([os.environ["POWERTOOLS_SERVICE_NAME"], event]))
    return app.handler(event, context)
"""
# Of what came to each function, the event to keep: the first that holds this text. Those of fan_out and record_tape
# are of the first batches of any venue, which list its products: run again, they change neither wallets nor tape.
_WANTED = {
    "amend_order": CLIENT_OID,
    "authorize_stream": TOKEN,
    "broadcast": '"match"',
    "cancel_order": CLIENT_OID,
    "connect": ACCOUNT,
    "deposit": "story-USD",
    "disconnect": "",
    "fan_out": "listed",
    "get_accounts": "",
    "get_orders": "",
    "market_data": "level",
    "operate_market": "post_only",
    "place_order": CLIENT_OID,
    "reconcile": "",
    "record_tape": "listed",
    "rotate_database": "createSecret",
    "rotate_redis": "createSecret",
    "subscribe": "matches",
    "try_order": "",
}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def main() -> int:
    """Record, and write events/*.json. Gives the exit code."""
    shutil.rmtree(_KEPT, ignore_errors=True)
    (_KEPT / "events").mkdir(parents=True)
    venue = Venue(_KEPT / "venue", say=print)
    try:
        venue.up(before_matcher=wrap)
        wind_up(venue)
        asyncio.run(play(venue))
        write(venue)
    except LocalError as failure:
        print(f"record: {failure}", file=sys.stderr)
        return 1
    finally:
        venue.down(forget=True)
    return 0


def wrap(venue: Venue) -> None:
    """Deploy every function once more, with the recording handler around its own."""
    functions, built = venue.client("lambda"), deploy.build()
    resources = venue.client("cloudformation").describe_stack_resources(StackName=deploy.STACK)["StackResources"]
    for resource in resources:
        if resource["ResourceType"] == "AWS::Lambda::Function":
            name = resource["PhysicalResourceId"]
            code = _zipped(built / resource["LogicalResourceId"])
            functions.update_function_code(FunctionName=name, ZipFile=code)
            functions.update_function_configuration(FunctionName=name, Handler="recording.handler")
            # Those behind REST are called by an alias, which names a version.
            for alias in functions.list_aliases(FunctionName=name)["Aliases"]:
                version = functions.publish_version(FunctionName=name)["Version"]
                functions.update_alias(FunctionName=name, Name=alias["Name"], FunctionVersion=version)


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
        archive.writestr("recording.py", _HANDLER.format(folder=str(_KEPT / "events")))
    return buffer.getvalue()


def wind_up(venue: Venue) -> None:
    """Start every clock, also those that stand still in the local stage."""
    events = venue.client("events")
    for rule in events.list_rules()["Rules"]:
        events.enable_rule(Name=rule["Name"])


async def play(venue: Venue) -> None:
    """Fund a trader and another, trade, look at everything, and listen on WebSockets meanwhile."""
    trader, other, operator = (_client(venue, name) for name in (TRADER, "trader-2", OPERATOR))
    for name, currency in ((TRADER, "USD"), ("trader-2", "ACME")):
        body = {"key": f"story-{currency}", "account_id": venue.account(name), "currency": currency, "amount": "100"}
        (await operator.post("/deposits", json=body)).raise_for_status()
    sockets = [
        Listener(name=name, url=venue.stream_url, token=token, channel=channel, product_id="ACME-USD")
        for name, token, channel in (("public", None, "matches"), ("private", venue.token(TRADER), "user"))
    ]
    for socket in sockets:
        await socket.open()

    async def funded() -> bool:
        return any(float(each["available"]) for each in (await other.get("/accounts")).json())

    await until(funded, "the deposits were not settled")
    order = {"product_id": "ACME-USD", "side": "buy", "price": "1.005", "size": "2"}
    (await trader.post("/orders", json={**order, "client_oid": CLIENT_OID})).raise_for_status()
    (await other.post("/orders", json={**order, "side": "sell", "size": "1"})).raise_for_status()
    for path in ("/orders?status=open", "/accounts", "/products/ACME-USD/book?level=2"):
        (await trader.get(path)).raise_for_status()
    amend = {"size": "3", "amend_id": CLIENT_OID}
    (await trader.patch(f"/orders/client:{CLIENT_OID}", json=amend)).raise_for_status()
    for status in ("post_only", "trading"):
        (await operator.post("/products/ACME-USD/status", json={"status": status})).raise_for_status()
    (await trader.delete(f"/orders/client:{CLIENT_OID}")).raise_for_status()

    async def told() -> bool:
        return bool(sockets[0].of_type("match"))

    await until(told, "the trade did not reach the WebSocket")
    for socket in sockets:
        await socket.close()
    for client in (trader, other, operator):
        await client.aclose()

    async def recorded() -> bool:
        return set(_WANTED) <= {name for name, _ in _kept()}

    await until(recorded, "not every function was called")


async def until(true: Callable[[], Awaitable[bool]], failure: str) -> None:
    """Wait for something to become true. Raises LocalError with `failure` after two minutes."""
    for _ in range(600):
        if await true():
            return
        await asyncio.sleep(0.2)
    raise LocalError(failure)


def _client(venue: Venue, name: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {venue.token(name)}", "Accept": "*/*"}
    return httpx.AsyncClient(base_url=venue.rest_url, headers=headers, timeout=60, trust_env=False)


def _kept() -> Iterator[tuple[str, Any]]:
    for path in sorted((_KEPT / "events").glob("*.json")):
        name, event = json.loads(path.read_text())
        yield name, event


def write(venue: Venue) -> None:
    """Choose one event for each function, replace what is this venue's own, and write the files."""
    FOLDER.mkdir(exist_ok=True)
    missing = dict(_WANTED)
    for name, event in _kept():
        names = _Names(venue)
        told = json.dumps(names.replaced(event), indent=2, sort_keys=True) + "\n"
        readable = told + "".join(_decoded(event))
        if name in missing and names.plain(missing[name]) in names.plain(readable):
            (FOLDER / f"{name}.json").write_text(told)
            print(f"record: events/{name}.json")
            del missing[name]
    if missing:
        raise LocalError(f"no fitting event came to {', '.join(sorted(missing))}")


def _decoded(event: Any) -> Iterator[str]:
    for record in event.get("Records", ()):
        if "kinesis" in record:
            yield base64.b64decode(record["kinesis"]["data"]).decode()
        else:
            yield record["body"]


class _Names:
    """Gives everything that differs from venue to venue a name that does not: the same thing the same name."""

    def __init__(self, venue: Venue) -> None:
        outputs = venue.outputs
        self._known = {venue.account(TRADER): ACCOUNT, CLIENT_OID: CLIENT_OID}
        rest, stream = (url.split("/")[-2] for url in (venue.rest_url, venue.stream_url))
        pool, client = outputs["UserPoolId"], outputs["UserPoolClientId"]
        self._words = {rest: "restapi000", stream: "streamapi0", pool: "us-east-1_000000000", client: CLIENT}
        self._words[f"127.0.0.1:{venue.state.ports.aws}"] = "127.0.0.1:4566"
        self._tokens = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")

    def replaced(self, event: Any) -> Any:
        """Give the event with stand-ins, inside base64 too."""
        match event:
            case dict() if isinstance(event.get("kinesis"), dict):
                data = self.plain(base64.b64decode(event["kinesis"]["data"]).decode())
                kinesis = {**event["kinesis"], "data": base64.b64encode(data.encode()).decode()}
                return {key: self.replaced(value) for key, value in event.items() if key != "kinesis"} | {
                    "kinesis": {key: value if key == "data" else self.replaced(value) for key, value in kinesis.items()}
                }
            case dict():
                return {key: self.replaced(value) for key, value in event.items()}
            case list():
                return [self.replaced(value) for value in event]
            case str():
                return self.plain(event)
            case _:
                return event

    def plain(self, text: str) -> str:
        """Give a text with stand-ins."""
        text = self._tokens.sub(TOKEN, text)
        for own, name in self._words.items():
            text = text.replace(own, name)
        text = re.sub(r"(venue-local-[A-Za-z]+-)[0-9A-Fa-f]{13}", r"\g<1>0000000000000", text)
        text = re.sub(r"(:secret:venue/[a-z-]+-)[A-Za-z0-9]{6}\b", r"\g<1>000000", text)
        return _UUID.sub(lambda found: self._name(found.group()), text)

    def _name(self, uuid: str) -> str:
        number = len(self._known)
        return self._known.setdefault(uuid, f"00000000-0000-4000-8000-{number:012d}")


if __name__ == "__main__":
    raise SystemExit(main())
