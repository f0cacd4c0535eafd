"""Ids that can be derived again: the same (account, client_oid) always names the same order."""

from uuid import UUID, uuid5

_VENUE = UUID("5d1f3c0e-8a44-4f0e-9d53-6e1d3a1f7b20")


def order_id_of(account: str, client_oid: str) -> str:
    """The order id for a client's own id, so that a repeated request meets the order it already made."""
    return str(uuid5(_VENUE, f"order:{account}:{client_oid}"))


def amend_id_of(account: str, amend_id: str) -> str:
    """The id of an amend for a client's own: two accounts may choose the same."""
    return str(uuid5(_VENUE, f"amend:{account}:{amend_id}"))


def transfer_id_of(key: str) -> str:
    """The transfer id for an operator's idempotency key."""
    return str(uuid5(_VENUE, f"transfer:{key}"))


def wallet_id_of(account: str, asset: str) -> str:
    """The id under which the API shows one asset's wallet of an account."""
    return str(uuid5(_VENUE, f"wallet:{account}:{asset}"))
