"""How long a REST call may wait for each thing it asks, here in one place, because the waits have to fit together.

The longest road is an order's: when everything answers at the last moment, there must be time left to put it into the
order queue. API Gateway gives up after 29 s, and the template lets a function run until just before that.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from botocore.config import Config

GATEWAY_S: Final = 29.0

# One wait for Redis: a connection or an answer, each tried twice.
REDIS_MS: Final = 100
REDIS_S: Final = 4 * REDIS_MS / 1000

CONNECT_S: Final = 0.5

# Secrets Manager, without a second attempt.
SECRET_READ_S: Final = 1.5
SECRET_S: Final = CONNECT_S + SECRET_READ_S

# PostgreSQL. A kept connection whose other end is gone is noticed after the time of a statement; then a new one is made
# with a secret read anew. A login that is refused is refused at once, and only then tried again with another; for that
# the secret is read twice at most (venue_aws.logins). libpq takes whole seconds, and no fewer than two.
JOURNAL_CONNECT_S: Final = 2
JOURNAL_STATEMENT_S: Final = 3
REFUSAL_S: Final = 0.5
JOURNAL_S: Final = JOURNAL_STATEMENT_S + 2 * REFUSAL_S + SECRET_S + JOURNAL_CONNECT_S + JOURNAL_STATEMENT_S

# DynamoDB: two attempts, and up to a second between them. Contention is answered fast; after a second of it no more
# attempts begin.
TABLE_READ_S: Final = 2.0
TABLE_RETRIES: Final = 1
TABLE_S: Final = 2 * (CONNECT_S + TABLE_READ_S) + 1
CONTENTION_S: Final = 1.0

# The matcher, at each of two addresses: long enough for a commit under load.
MATCHER_S: Final = 2.0

# The order queue, without a second attempt: its caller may send the same again.
QUEUE_READ_S: Final = 2.0
QUEUE_S: Final = CONNECT_S + QUEUE_READ_S

# Reconciliation waits for nobody: a thousand batches summed up, and a second look at an index that may lag.
LEDGER_STATEMENT_S: Final = 20
INDEX_LAG_S: Final = 2.0

# A cancel that has to look for its order may take longer and is cut off then: it may be sent again, at no risk.
# Redis' own secret, the market, the hold, two owners with a look at Redis between them, the queue.
PLACE_S: Final = SECRET_S + REDIS_S + JOURNAL_S + CONTENTION_S + TABLE_S + REDIS_S + 2 * MATCHER_S + QUEUE_S
# The journal, the order's hold, and the rules, of which Redis or the journal knows.
READ_S: Final = SECRET_S + JOURNAL_S + TABLE_S + REDIS_S


def once(*, read_s: float) -> "Config":
    """Give the settings of a boto3 client that asks once and waits so long for the answer."""
    from botocore.config import Config

    return Config(
        connect_timeout=CONNECT_S,
        read_timeout=read_s,
        retries={"mode": "standard", "total_max_attempts": 1},
        tcp_keepalive=True,
    )
