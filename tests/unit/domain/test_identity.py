"""Derived ids: the same question names the same thing, for ever."""

from uuid import UUID

from venue.identity import order_id_of, transfer_id_of, wallet_id_of


def test_an_order_id_is_the_same_for_ever() -> None:
    # Written down: clients meet the orders of last year by it.
    assert order_id_of("ann", "my-1") == "6c536118-c8d8-5d8e-a1b6-00b98459f8dd"
    assert transfer_id_of("key-1") == "ddaeeaf5-14be-5a4a-a70e-8efe3b9bba09"
    assert wallet_id_of("ann", "USD") == "f2e12208-c136-5571-8630-88c6ce6824be"


def test_two_accounts_may_use_the_same_client_oid() -> None:
    assert order_id_of("ann", "1") != order_id_of("bob", "1")


def test_ids_are_uuids_and_do_not_meet() -> None:
    ids = {order_id_of("a", "b"), wallet_id_of("a", "b"), transfer_id_of("a:b")}
    assert len({UUID(one) for one in ids}) == 3
