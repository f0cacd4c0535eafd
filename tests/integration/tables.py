"""Wallets and holds in the emulator's DynamoDB, in tables of one test's own."""

from itertools import count
from typing import Any

import boto3
from pynamodb.connection import Connection

from local.servers import REGION
from venue_aws.wallets import HoldItem, TransferClaims, WalletItem, Wallets, bound

_numbers = count(1)


class Tables:
    """Fresh tables, and any number of clients of them."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        number = next(_numbers)
        self.wallets, self.holds = f"rest-wallets-{number}", f"rest-holds-{number}"
        self.dynamodb: Any = boto3.client("dynamodb", endpoint_url=endpoint_url, region_name=REGION)
        self._create(self.wallets, "account", "asset")
        self._create(self.holds, "order_id")

    def client(self, *, endpoint_url: str | None = None) -> Wallets:
        """A client of its own, as another Lambda would have."""
        url = endpoint_url or self._endpoint_url
        return Wallets(
            wallets=bound(WalletItem, table=self.wallets, region=REGION, endpoint_url=url),
            holds=bound(HoldItem, table=self.holds, region=REGION, endpoint_url=url),
            connection=Connection(region=REGION, host=url, connect_timeout_seconds=1, max_retry_attempts=0),
        )

    def claims(self) -> TransferClaims:
        """Claims of transfer ids, beside the holds."""
        return TransferClaims(holds=bound(HoldItem, table=self.holds, region=REGION, endpoint_url=self._endpoint_url))

    def credit(self, account: str, asset: str, free: int, *, held: int = 0) -> None:
        """Put money into a wallet as settlement does."""
        self.dynamodb.update_item(
            TableName=self.wallets,
            Key={"account": {"S": account}, "asset": {"S": asset}},
            UpdateExpression="ADD #free :free, held :held SET seen_0 = :one",
            ExpressionAttributeNames={"#free": "free"},
            ExpressionAttributeValues={":free": {"N": str(free)}, ":held": {"N": str(held)}, ":one": {"N": "1"}},
        )

    def held_orders(self) -> int:
        """How many holds there are."""
        return int(self.dynamodb.scan(TableName=self.holds, Select="COUNT")["Count"])

    def _create(self, name: str, *keys: str) -> None:
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
