"""Wallets and holds in the emulator's DynamoDB, in tables of one test's own."""

from collections.abc import Mapping
from itertools import count
from typing import Any

import boto3
from pynamodb.connection import Connection

from local.servers import REGION
from venue_aws.vault import PAGE_WALLETS, Vault
from venue_aws.wallets import BY_ACCOUNT, HoldItem, TransferClaims, WalletItem, Wallets, bound

_numbers = count(1)


class Tables:
    """Fresh tables, and any number of clients of them."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        number = next(_numbers)
        self.wallets, self.holds = f"rest-wallets-{number}", f"rest-holds-{number}"
        self.dynamodb: Any = boto3.client("dynamodb", endpoint_url=endpoint_url, region_name=REGION)
        self._create(self.wallets, "account", "asset")
        index: Any = {
            "IndexName": BY_ACCOUNT,
            "KeySchema": [
                {"AttributeName": "account", "KeyType": "HASH"},
                {"AttributeName": "created_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["asset", "amount"]},
        }
        self._create(self.holds, "order_id", types={"account": "S", "created_at": "N"}, GlobalSecondaryIndexes=[index])

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

    def vault(self, *, page: int = PAGE_WALLETS) -> Vault:
        """Wallets and holds as reconciliation sees them."""
        return Vault(self.dynamodb, wallets=self.wallets, holds=self.holds, page=page)

    def _create(self, name: str, *keys: str, types: Mapping[str, str] | None = None, **more: Any) -> None:
        attributes = dict.fromkeys(keys, "S") | dict(types or {})
        self.dynamodb.create_table(
            **more,
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in attributes.items()],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
