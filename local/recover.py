"""After the emulator lost its stores (the machine went down under it): wallets and tape again, from the journal.

The journal is in PostgreSQL, on disk, and holds every posting; what DynamoDB, the queues and S3 held follows from it.
"""

from typing import TYPE_CHECKING

import boto3
import psycopg

from local.servers import CREDENTIALS, REGION, aws_url, database_url
from local.state import State

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBServiceResource

_JOURNAL_EXISTS = "SELECT to_regclass('postings') IS NOT NULL"
_WALLETS = """
SELECT account, asset, shard, sum(free)::bigint, sum(held)::bigint,
       (SELECT max(sequence) FROM batches WHERE batches.shard = postings.shard)
FROM postings GROUP BY account, asset, shard ORDER BY account, asset, shard
"""
# The relay then sends every batch again: settled ones change no wallet, and the tape is written anew.
_SEND_AGAIN = "UPDATE relays SET published = 0"


def rebuild(state: State) -> int:
    """Put every wallet as the ledger has it into the empty table, before the matcher starts. Gives how many."""
    with psycopg.connect(database_url(state)) as journal:
        exists = journal.execute(_JOURNAL_EXISTS).fetchone()
        if exists is None or not exists[0]:
            return 0
        rows = journal.execute(_WALLETS).fetchall()
        journal.execute(_SEND_AGAIN)
    wallets: dict[tuple[str, str], dict[str, str | int]] = {}
    for account, asset, shard, free, held, settled in rows:
        wallet = wallets.setdefault((account, asset), {"account": account, "asset": asset, "free": 0, "held": 0})
        wallet["free"] = int(wallet["free"]) + free
        wallet["held"] = int(wallet["held"]) + held
        wallet[f"seen_{shard}"] = settled
    dynamodb: DynamoDBServiceResource = boto3.resource(
        "dynamodb",
        endpoint_url=aws_url(state),
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    with dynamodb.Table(state.outputs["WalletsTable"]).batch_writer() as table:
        for item in wallets.values():
            table.put_item(Item=item)
    return len(wallets)
