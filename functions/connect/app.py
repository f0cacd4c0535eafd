"""$connect: remember who is behind a new socket."""

from collections.abc import Callable
from typing import Any

from venue_aws import wiring
from venue_aws.observed import Event, Handler, Line, observed
from venue_aws.sessions import Sessions


def build(sessions: Callable[[], Sessions]) -> Handler[dict[str, Any]]:
    """Make the handler. A failure refuses the connection: a socket that nobody knows would stay silent."""

    @observed
    def connect(event: Event, line: Line) -> dict[str, Any]:
        request = event["requestContext"]
        caller = request.get("authorizer") or {}
        account, expires_at = caller.get("account"), caller.get("expires_at")
        sessions().open(
            request["connectionId"], account=account, token_expires_at=int(expires_at) if expires_at else None
        )
        line.count("StreamConnected")
        line.tell(connection_id=request["connectionId"], account=account)
        return {"statusCode": 200}

    return connect


handler = build(wiring.early(wiring.sessions))
