"""A secret that rotates, as who rotates it and as who reads it see it."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

from local import rotate
from local.rotate import Content, Event

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class KeptSecret:
    """One secret in Secrets Manager."""

    def __init__(self, client: "SecretsManagerClient", content: Content) -> None:
        self._client = client
        self.arn = client.create_secret(Name=f"secret-{uuid4()}", SecretString=json.dumps(content))["ARN"]

    def content(self, stage: str = "AWSCURRENT") -> Content:
        """What it holds."""
        return rotate.content_of(self._client, self.arn, stage)

    def begin(self) -> Iterator[Event]:
        """Begin a rotation, and give the events of its steps."""
        return rotate.steps(self._client, self.arn)

    def rotate(self, take: Callable[[Event], object]) -> None:
        """A whole rotation."""
        for event in self.begin():
            take(event)
