"""The four steps at a real PostgreSQL and a real Redis: whoever reads the secret is let in, wherever they end."""

from pathlib import Path

import pytest

from local.rotate import STEPS
from tests.integration.rotation.conftest import DatabaseDoor, Door
from venue_aws.rotation import RotationRefused


@pytest.fixture
def opened(door: Door) -> Door:
    """After the first rotation, which makes whom the secret names."""
    door.secret.rotate(door.take)
    return door


def test_the_first_rotation_lets_in_whom_nobody_knew(door: Door) -> None:
    assert not door.lets_in(door.secret.content())
    door.secret.rotate(door.take)
    assert door.lets_in(door.secret.content())


def test_a_rotation_changes_the_password_and_the_one_before_is_good_until_the_next(opened: Door) -> None:
    before = opened.secret.content()
    opened.secret.rotate(opened.take)
    after = opened.secret.content()
    assert after["password"] != before["password"]
    assert opened.secret.content("AWSPREVIOUS") == before
    assert opened.lets_in(after)
    assert opened.lets_in(before)

    opened.secret.rotate(opened.take)
    assert not opened.lets_in(before)
    assert opened.lets_in(after)
    assert opened.lets_in(opened.secret.content())


@pytest.mark.parametrize("taken", range(len(STEPS) + 1))
def test_who_reads_the_secret_is_let_in_wherever_a_rotation_ends(opened: Door, taken: int) -> None:
    opened.secret.rotate(opened.take)
    events = opened.secret.begin()
    for _ in range(taken):
        opened.take(next(events))
    assert opened.lets_in(opened.secret.content())
    # And the next rotation, begun anew, goes through.
    opened.secret.rotate(opened.take)
    assert opened.lets_in(opened.secret.content())


def test_each_step_may_come_twice_and_changes_nothing_the_second_time(opened: Door) -> None:
    events, pending = list(opened.secret.begin()), []
    for event in events[:-1]:
        assert opened.take(event)
        pending.append(opened.secret.content("AWSPENDING"))
        assert opened.take(event)
        pending.append(opened.secret.content("AWSPENDING"))
    assert pending == [pending[0]] * len(pending)
    assert opened.take(events[-1])
    assert opened.secret.content() == pending[0]
    assert [opened.take(event) for event in events] == [False] * len(events)
    assert opened.lets_in(opened.secret.content())


def test_a_rotation_that_was_overtaken_takes_no_more_steps(opened: Door) -> None:
    late = list(opened.secret.begin())
    opened.take(late[0])
    opened.secret.rotate(opened.take)
    current = opened.secret.content()
    for event in late:
        with pytest.raises(RotationRefused, match="not pending"):
            opened.take(event)
    assert opened.secret.content() == current


def test_a_login_that_nobody_admitted_does_not_become_current(opened: Door) -> None:
    current = opened.secret.content()
    create, _, test, finish = opened.secret.begin()
    with pytest.raises(RotationRefused, match="createSecret"):
        opened.take(test)
    opened.take(create)
    for event in (test, finish):
        with pytest.raises(RotationRefused, match="not let in"):
            opened.take(event)
    assert opened.secret.content() == current


def test_passwords_are_long_and_stand_in_no_log(
    database_door: DatabaseDoor, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        database_door.secret.rotate(database_door.take)
    said = (folder / "log" / "postgres.log").read_text() + caplog.text
    assert "ROLE" in said  # every statement of this admin is logged
    for stage in ("AWSCURRENT", "AWSPREVIOUS"):
        password = database_door.secret.content(stage)["password"]
        assert len(password) >= 48
        assert password not in said
