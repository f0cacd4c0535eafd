"""What every program of the venue asked AWS for during the tests is what tests/template/rights.toml says of it.

The roles are compared with that record (tests/template/test_rights.py); here the record is compared with what happens.
"""

import re
from pathlib import Path

import pytest

from local import calls
from local.venue import Venue
from tests.template import rights
from tests.template.rights import MATCHER, Right
from tests.template.test_rights import UNREACHED

SECRETS = {
    "database": "DatabaseSecret",
    "matcher-database": "MatcherDatabaseSecret",
    "redis": "RedisSecret",
    "matcher-redis": "MatcherRedisSecret",
    "database-admin": "Database",  # RDS keeps it for the cluster
}

pytestmark = [pytest.mark.venue, pytest.mark.last]


def names(venue: Venue) -> dict[str, str]:
    """What everything that this venue's stacks made is called in its templates."""
    cloudformation = venue.client("cloudformation")
    named = {
        made["PhysicalResourceId"].rpartition("/")[2]: made["LogicalResourceId"]
        for stack in cloudformation.describe_stacks()["Stacks"]
        for made in cloudformation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
    }
    # What is beside the stacks here, and made by infra/data.yaml and infra/matcher.yaml elsewhere.
    secrets = venue.state.secret_arns
    beside = {secrets[name]: logical for name, logical in SECRETS.items()} | {"matcher.shell": MATCHER}
    return named | {physical.rpartition("/")[2]: logical for physical, logical in beside.items()}


def seen(venue: Venue) -> dict[str, set[Right]]:
    """What each program asked for since the venue was made, by logical names."""
    known = names(venue)

    def named(resource: str) -> str:
        whole = resource.rpartition("/")[2] if resource.startswith("arn:") else resource
        if whole in known:
            return known[whole]
        # Or a part of it: an index, what is below a prefix, a version.
        first = re.split("[/:]", whole)[0]
        return known.get(first, first) + whole.removeprefix(first)

    found = calls.read(venue.folder / calls.FOLDER)
    only_here = venue.state.secret_arns["redis-admin"]  # ElastiCache's users are changed by its own API
    every = {
        known[program]: {(action, named(of)) for action, of in asked if of != only_here}
        for program, asked in found.items()
    }
    # What happens by chance only is not in the record: it would be true on some days.
    return {name: {right for right in asked if (name, right) not in UNREACHED} for name, asked in every.items()}


def ran_whole(request: pytest.FixtureRequest) -> bool:
    """Whether every end-to-end test was run, and passed."""
    collected = {item.path for item in request.session.items}
    return (
        request.session.testsfailed == 0
        and collected >= set(Path(__file__).parent.glob("test_*.py"))
        and not (request.config.option.keyword or request.config.option.deselect)
    )


def test_the_record_of_what_every_program_asks_for_is_true(venue: Venue, request: pytest.FixtureRequest) -> None:
    asked, recorded = seen(venue), rights.recorded()
    if request.config.getoption("--write-rights"):
        assert ran_whole(request), "a record of some tests is none"
        rights.write(asked)
        return
    new = {name: sorted(more) for name, found in asked.items() if (more := found - recorded.get(name, set()))}
    assert not new, f"never seen before: {new}. Write it down: make rights"
    if ran_whole(request):
        gone = {name: sorted(less) for name, was in recorded.items() if (less := was - asked.get(name, set()))}
        assert not gone, f"not seen any more: {gone}. Write it down: make rights"
