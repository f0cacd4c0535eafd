"""Each role allows what its program was seen to ask for, what services do in its name, and nothing else.

Seen means recorded from botocore while the whole venue was tested (tests/template/rights.toml); the end-to-end tests
see to it that the record stays true.
"""

from typing import Final

import pytest

from tests.template.model import CLOUD_STAGES, deployed
from tests.template.rights import MATCHER, Right, allowed, implied, recorded
from tests.template.test_planted import planted

# What the tests cannot make happen, or by chance only, and why it is allowed all the same.
UNREACHED: Final[dict[tuple[str, Right], str]] = {
    **{
        ("RotateRedis", (f"elasticache:{call}", user)): (
            "ElastiCache has its own API for users; a Redis of one's own has ACL SETUSER. The calls of that API are "
            "tried in tests/integration/rotation/test_elasticache.py."
        )
        for call in ("DescribeUsers", "ModifyUser")
        for user in ("RedisFunctions", "RedisMatcher")
    },
    (MATCHER, ("sqs:ChangeMessageVisibility", "OrderQueue")): (
        "A matcher that stops, or finds a shard's owner away, gives back what it had in hand: a moment that no test of "
        "the whole venue can choose. tests/integration/matcher/test_poller.py does, with a queue that is real."
    ),
    ("Subscribe", ("execute-api:ManageConnections", "DELETE/@connections/*")): (
        "A socket that is there and does not take its answer is closed; the emulator's sockets take everything."
    ),
}

_POLICIES: Final = ("Properties", "Policies", 0, "PolicyDocument", "Statement")


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_a_role_allows_all_that_its_program_was_seen_to_ask_for(stage: str) -> None:
    whole, seen = deployed(stage), recorded()
    for program, rights in allowed(whole).items():
        asked = seen.get(program, set())
        missing = (asked | implied(whole, program, asked)) - rights
        assert not missing, f"{program} is refused {sorted(missing)}"


@pytest.mark.parametrize("stage", CLOUD_STAGES)
def test_a_role_allows_nothing_that_its_program_was_not_seen_to_ask_for(stage: str) -> None:
    whole, seen = deployed(stage), recorded()
    for program, rights in allowed(whole).items():
        asked = seen.get(program, set()) | {right for name, right in UNREACHED if name == program}
        unused = rights - asked - implied(whole, program, asked)
        assert not unused, f"{program} never needs {sorted(unused)}"


def test_every_program_that_was_seen_is_one_that_is_deployed() -> None:
    assert set(recorded()) <= set(allowed(deployed("prod")))


def test_what_the_tests_do_not_reach_is_allowed_and_not_recorded() -> None:
    may, seen = allowed(deployed("prod")), recorded()
    for (program, right), reason in UNREACHED.items():
        assert right in may[program], right
        assert right not in seen.get(program, set()), (
            f"{program} was seen to ask for {right}: strike it from one of both"
        )
        assert reason.endswith("."), right


@pytest.mark.parametrize("role", ["PlaceOrderRole", "FanOutRole", "RecordTapeRole", "TaskRole"])
def test_a_right_that_is_taken_away_is_missed(role: str) -> None:
    with planted(deployed("prod"), (role, *_POLICIES, 0, "Action"), []), pytest.raises(AssertionError, match="refused"):
        test_a_role_allows_all_that_its_program_was_seen_to_ask_for("prod")


@pytest.mark.parametrize(
    "right",
    [
        {"Action": "dynamodb:DeleteItem", "Resource": {"Fn::GetAtt": ["Wallets", "Arn"]}},
        {"Action": "dynamodb:PutItem", "Resource": {"Fn::GetAtt": ["Sessions", "Arn"]}},
        {"Action": "kms:Decrypt", "Resource": {"Fn::GetAtt": ["TapeKey", "Arn"]}},
    ],
)
def test_a_right_that_nobody_needs_is_noticed(right: dict[str, object]) -> None:
    statements = deployed("prod")["Resources"]["PlaceOrderRole"]
    for part in _POLICIES:
        statements = statements[part]
    more = [*statements, {"Effect": "Allow", **right}]
    with (
        planted(deployed("prod"), ("PlaceOrderRole", *_POLICIES), more),
        pytest.raises(AssertionError, match="never needs"),
    ):
        test_a_role_allows_nothing_that_its_program_was_not_seen_to_ask_for("prod")


def test_the_key_of_what_is_encrypted_is_missed_as_well() -> None:
    with (
        planted(deployed("prod"), ("PlaceOrderRole", *_POLICIES), _without_keys()),
        pytest.raises(AssertionError, match="kms:Decrypt"),
    ):
        test_a_role_allows_all_that_its_program_was_seen_to_ask_for("prod")


def _without_keys() -> list[object]:
    statements = deployed("prod")["Resources"]["PlaceOrderRole"]
    for part in _POLICIES:
        statements = statements[part]
    return [each for each in statements if not str(each["Action"]).startswith("['kms")]
