"""The chain: what it notices, and what it lets pass because it is from before."""

from typing import Any

import pytest

from matcher.shell.chain import Chain
from matcher.shell.errors import JournalBroken

type Row = tuple[int, int, bytes, bytes, bytes | None]


def rows(count: int) -> list[Row]:
    chain = Chain(0)
    made: list[Row] = []
    for sequence in range(1, count + 1):
        content = (sequence, 1000 + sequence, b"[%d]" % sequence, b'["e"]')
        made.append((*content, chain.seal(*content)))
    return made


def follow(journal: list[Row], *, shard: int = 0) -> None:
    chain = Chain(shard)
    for row in journal:
        chain.check(*row)


def test_a_journal_that_was_not_touched_follows() -> None:
    follow(rows(20))


@pytest.mark.parametrize(("field", "value"), [(0, 8), (1, 1008), (2, b"[70]"), (3, b"[]"), (4, bytes(32)), (4, None)])
def test_a_row_that_was_changed_is_found_at_that_row(field: int, value: Any) -> None:
    journal: list[Any] = [list(row) for row in rows(20)]
    journal[6][field] = value
    follow(journal[:6])
    with pytest.raises(JournalBroken):
        follow(journal[:7])


def test_bytes_that_move_from_commands_to_events_are_noticed() -> None:
    (sequence, at, commands, events, checksum) = rows(1)[0]
    with pytest.raises(JournalBroken):
        follow([(sequence, at, commands[:-1], commands[-1:] + events, checksum)])


def test_a_row_that_was_taken_out_is_noticed_and_so_are_two_that_changed_places() -> None:
    journal = rows(20)
    with pytest.raises(JournalBroken, match="batch 8 "):
        follow(journal[:6] + journal[7:])
    with pytest.raises(JournalBroken, match="batch 8 "):
        follow([*journal[:6], journal[7], journal[6]])


def test_another_shard_s_rows_do_not_follow() -> None:
    with pytest.raises(JournalBroken):
        follow(rows(1), shard=1)


def test_rows_from_before_have_no_checksum_and_none_may_come_after() -> None:
    chain = Chain(0)
    before: list[Row] = [(1, 1, b"[]", b"[]", None), (2, 2, b"[]", b"[]", None)]
    after: Row = (3, 3, b"[]", b"[]", chain.seal(3, 3, b"[]", b"[]"))
    follow([*before, after])
    with pytest.raises(JournalBroken, match="has no checksum"):
        follow([*before, after, (4, 4, b"[]", b"[]", None)])
