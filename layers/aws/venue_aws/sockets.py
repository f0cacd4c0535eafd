"""The way to a client: messages posted to open WebSockets through API Gateway's @connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient

MESSAGE_BYTES_MAX = 128 * 1024
CONNECTIONS_MAX = 32
_GONE = "GoneException"


class Gone(Exception):
    """The client has closed its socket."""


class PushFailed(Exception):
    """The message was not taken, in time or at all; the client may still be there."""


class Sockets:
    """All open WebSockets, by connection id. Blocking; safe to use from CONNECTIONS_MAX threads."""

    def __init__(self, client: ApiGatewayManagementApiClient) -> None:
        self._client = client

    @classmethod
    def connect(cls, endpoint_url: str) -> Sockets:
        """Make a client with short timeouts: a socket that does not take a message must not hold up the others."""
        config = Config(
            connect_timeout=1,
            read_timeout=2,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=CONNECTIONS_MAX,
            tcp_keepalive=True,
        )
        return cls(boto3.client("apigatewaymanagementapi", endpoint_url=endpoint_url, config=config))

    def post(self, connection_id: str, data: bytes) -> None:
        """Send one message. Raises Gone or PushFailed."""
        try:
            self._client.post_to_connection(ConnectionId=connection_id, Data=data)
        except ClientError as error:
            if error.response["Error"]["Code"] == _GONE:
                raise Gone(connection_id) from error
            raise PushFailed(str(error)) from error
        except BotoCoreError as error:
            raise PushFailed(str(error)) from error

    def drop(self, connection_id: str) -> None:
        """Close a socket. One that is closed already, or cannot be closed now, is left at that."""
        try:
            self._client.delete_connection(ConnectionId=connection_id)
        except (ClientError, BotoCoreError):
            return
