"""Logins: kept for a while, read anew when refused, and never asked for without bound."""

import pytest

from venue_aws.logins import AGAIN_S, KEEP_S, Logins, SecretAway, Stage


class Secret:
    """A secret whose content changes, and a clock."""

    def __init__(self) -> None:
        self.stages: dict[Stage, str] = {"AWSCURRENT": "first"}
        self.is_away = False
        self.reads: list[Stage] = []
        self.time_s = 0.0

    def read(self, stage: Stage) -> str:
        """What Logins reads by."""
        self.reads.append(stage)
        if self.is_away or stage not in self.stages:
            raise SecretAway(stage)
        return self.stages[stage]

    def rotate(self, login: str) -> None:
        """Another is current from now on."""
        self.stages = {"AWSCURRENT": login, "AWSPREVIOUS": self.stages["AWSCURRENT"]}


@pytest.fixture
def secret() -> Secret:
    """A secret that holds its first login."""
    return Secret()


@pytest.fixture
def logins(secret: Secret) -> Logins[str]:
    """The logins of that secret."""
    return Logins(secret.read, clock=lambda: secret.time_s)


def test_a_login_is_kept_and_read_anew_when_it_is_old(secret: Secret, logins: Logins[str]) -> None:
    assert [logins.now(), logins.now()] == ["first", "first"]
    assert secret.reads == ["AWSCURRENT"]
    secret.rotate("second")
    secret.time_s = KEEP_S
    assert logins.now() == "second"


def test_a_refused_login_gives_way_to_the_current_one_at_once(secret: Secret, logins: Logins[str]) -> None:
    refused = logins.now()
    secret.rotate("second")
    assert logins.instead_of(refused) == "second"
    assert logins.now() == "second"
    # Who was refused at the same time finds it read already.
    assert logins.instead_of(refused) == "second"
    assert secret.reads == ["AWSCURRENT", "AWSCURRENT"]


def test_where_the_current_login_is_not_known_yet_the_one_before_it_is_tried(
    secret: Secret, logins: Logins[str]
) -> None:
    secret.rotate("second")
    assert logins.instead_of(logins.now()) == "first"


def test_a_login_that_stays_refused_is_asked_for_once_in_a_while(secret: Secret, logins: Logins[str]) -> None:
    refused = logins.now()
    assert [logins.instead_of(refused) for _ in range(100)] == [None] * 100
    assert len(secret.reads) == 3
    secret.time_s = AGAIN_S
    assert logins.instead_of(refused) is None
    assert len(secret.reads) == 5


def test_while_the_secret_is_away_the_kept_login_serves(secret: Secret, logins: Logins[str]) -> None:
    first = logins.now()
    secret.is_away, secret.time_s = True, 10 * KEEP_S
    assert logins.now() == first
    assert logins.instead_of(first) is None


def test_without_any_login_it_is_said_that_the_secret_is_away(secret: Secret, logins: Logins[str]) -> None:
    secret.is_away = True
    with pytest.raises(SecretAway):
        logins.now()
