"""A bug that can be planted: a few lines in place of good ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import msgspec


class Bug(msgspec.Struct, frozen=True):
    """`says`: what is wrong. replaces: what, by its name, with what. trouble: by which faults it shows soonest."""

    name: str
    says: str
    replaces: list[tuple[Any, str, Any]]
    trouble: tuple[str, ...] = ()


@contextmanager
def planted(bug: Bug) -> Iterator[None]:
    """Let the venue have this bug."""
    patches = [patch.object(target, name, new) for target, name, new in bug.replaces]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()
