"""The recorded events under events/: one real one for each function, with what differs from venue to venue set apart.

That of try_version alone is written down from CodeDeploy's manual: the emulator has no CodeDeploy.
A recorded event holds the stand-ins below where the venue that it came from had its own values; who runs it puts those
of the venue at hand in their place.
"""

import json
import re
from pathlib import Path

from local import rotate
from local.setup import ROOT
from local.venue import TRADERS, Venue

FOLDER = ROOT / "events"
TRADER = TRADERS[0]
ACCOUNT = "00000000-0000-4000-8000-000000000001"
TOKEN = "the-token-of-trader-1"  # noqa: S105
CLIENT = "client0"


def path_of(function: str) -> Path:
    """Give the file of a function's event: PlaceOrder -> events/place_order.json."""
    return FOLDER / f"{verb_of(function)}.json"


def verb_of(function: str) -> str:
    """Give the folder name of a function: PlaceOrder -> place_order."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", function).lower()


def event_for(function: str, venue: Venue) -> bytes:
    """Give a function's recorded event as its trader at this venue would cause it. Raises FileNotFoundError."""
    recorded = path_of(function).read_text()
    own = {
        ACCOUNT: venue.account(TRADER),
        TOKEN: venue.token(TRADER),
        f'"{CLIENT}"': f'"{venue.outputs["UserPoolClientId"]}"',
    }
    for stand_in, value in own.items():
        recorded = recorded.replace(stand_in, value)
    return _begun(recorded, venue).encode()


def _begun(recorded: str, venue: Venue) -> str:
    """Where a step of a rotation was recorded, begin one of this venue: nobody takes a step of one that is over."""
    event = json.loads(recorded)
    if "ClientRequestToken" not in event:
        return recorded
    (secret,) = [arn for arn in venue.state.secret_arns.values() if arn[:-6] == event["SecretId"][:-6]]
    return json.dumps(next(rotate.steps(venue.client("secretsmanager"), secret)))
