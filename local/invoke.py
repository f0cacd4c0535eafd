"""python -m local.invoke PlaceOrder: one function on its recorded event, against the stores of the running venue."""

import argparse
import json
import sys
import time

import urllib3

from local import events
from local.runtime import Deployed, invoke
from local.venue import FOLDER, OPERATOR, LocalError, Venue


def main() -> int:
    """Run the function, print what it logged and what it answered. Gives 0 when it answered without an error."""
    parser = argparse.ArgumentParser(prog="python -m local.invoke", description=__doc__)
    parser.add_argument("function", help="as in template.yaml: PlaceOrder, FanOut ...")
    function = parser.parse_args().function
    venue = Venue(FOLDER)
    try:
        if not all(venue.running.values()):
            raise LocalError("the function needs the venue's stores: make up starts them")
        found = Deployed.find(venue, function)
        fund(venue)
        done = invoke(found, events.event_for(function, venue))
    except LocalError as failure:
        print(f"invoke: {failure}", file=sys.stderr)
        return 1
    print(f"{done.log}\n\n{function} by {done.by} answered:", file=sys.stderr)
    answer = json.loads(done.answer)
    print(json.dumps(answer, indent=2))
    return int(isinstance(answer, dict) and "errorType" in answer)


def fund(venue: Venue) -> None:
    """Deposit what the recorded order needs, once for each venue: the deposit's key sees to that."""
    deposit = {"key": "invoke", "account_id": venue.account(events.TRADER), "currency": "USD", "amount": "100"}
    headers = {"Authorization": f"Bearer {venue.token(OPERATOR)}", "Content-Type": "application/json"}
    with urllib3.PoolManager(timeout=urllib3.Timeout(60), retries=False) as http:
        answer = http.request("POST", f"{venue.rest_url}/deposits", body=json.dumps(deposit), headers=headers)
    if answer.status not in {200, 202}:
        raise LocalError(f"the deposit for the recorded order was refused: {answer.data.decode()}")
    wallet = {"account": {"S": deposit["account_id"]}, "asset": {"S": "USD"}}
    deadline = time.monotonic() + 60
    while "Item" not in venue.client("dynamodb").get_item(TableName=venue.outputs["WalletsTable"], Key=wallet):
        if time.monotonic() > deadline:
            raise LocalError("the deposit for the recorded order was not settled: see make logs NAME=emulator")
        time.sleep(0.2)


if __name__ == "__main__":
    raise SystemExit(main())
