"""How much one command may do, made smaller in both worlds, so that small runs come to the bound."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from matcher.core import auction, engine, matching, selftrade
from tests.naive import book, market, rules


@contextmanager
def makers_max(number: int) -> Iterator[None]:
    """Let the orders of a command meet so many makers, as long as this lasts."""
    with (
        patch.object(auction, "MAKERS_MAX", number),
        patch.object(engine, "MAKERS_MAX", number),
        patch.object(matching, "MAKERS_MAX", number),
        patch.object(selftrade, "MAKERS_MAX", number),
        patch.object(book, "MAKERS_MAX", number),
        patch.object(market, "MAKERS_MAX", number),
        patch.object(rules, "MAKERS_MAX", number),
    ):
        yield
