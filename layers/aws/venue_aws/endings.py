"""The end of a session that was found gone by someone who cannot reach the matcher.

Whoever pushes to sockets stands outside of the network; the owners of the shards stand inside. So a session that takes
its account's orders along is handed to the `disconnect` function, which stands inside, and is forgotten there, after
its orders. Any other is forgotten on the spot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from venue.errors import Unavailable
from venue_aws.sessions import SessionItem, Sessions

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class EndingSessions(Sessions):
    """The sessions table, as those see it that stand outside."""

    def __init__(self, items: type[SessionItem], *, client: LambdaClient, disconnect: str) -> None:
        super().__init__(items)
        self._client = client
        self._disconnect = disconnect

    @classmethod
    def connect(cls, items: type[SessionItem], *, disconnect: str) -> EndingSessions:
        """Make a client with short timeouts; region and endpoint as the environment has them."""
        config = Config(
            connect_timeout=1,
            read_timeout=2,
            retries={"mode": "standard", "total_max_attempts": 2},
            tcp_keepalive=True,
        )
        return cls(items, client=boto3.client("lambda", config=config), disconnect=disconnect)

    def close(self, connection_id: str) -> int:
        """Forget a connection, or have it forgotten after its orders; give the number of items forgotten here."""
        if self.takes_orders_of(connection_id) is None:
            return super().close(connection_id)
        event = {"requestContext": {"connectionId": connection_id, "eventType": "DISCONNECT"}}
        try:
            self._client.invoke(
                FunctionName=self._disconnect, InvocationType="Event", Payload=msgspec.json.encode(event)
            )
        except (ClientError, BotoCoreError) as error:
            # Its items stay, so that whoever pushes next finds it gone again.
            raise Unavailable("the end of a session could not be handed on", retry_after_s=1) from error
        return 0
