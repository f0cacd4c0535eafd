"""The tests that mutation testing runs for each mutant: seconds, not minutes. `python -m tests.campaigns.quick`

First the engine beside the naive market, where most mutants die at once; then the tests of the core and of money.
"""

import sys

import pytest

from tests.campaigns.differential import commands_of, failure_of

RUNS = 30
TESTS = (
    "tests/unit/core",
    "tests/unit/domain/test_money.py",
    "tests/property/test_money.py",
)


def main() -> int:
    """0 when all is well, 1 at the first failure."""
    if any(failure_of(commands_of(seed)) is not None for seed in range(RUNS)):
        return 1
    # The real flow takes longer than all the rest, and finds nothing that the rest does not.
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--ignore=tests/unit/core/test_flow.py", *TESTS]))


if __name__ == "__main__":
    sys.exit(main())
