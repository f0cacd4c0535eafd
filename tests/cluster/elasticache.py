"""ElastiCache's API of users over a real Redis: the emulator's takes passwords, and lets nobody in by them.

What counts for a rotation is as ElastiCache has it: two passwords at most, which take the place of all before; a change
that is done some looks later; and no second change until then.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis

# So often a user is seen to be changing.
LOOKS = 2


class Refused(Exception):
    """ElastiCache does not take this."""


class UsersOverRedis:
    """See venue_aws.doorkeepers.UsersApi. `names`: what Redis calls each user."""

    def __init__(self, admin: redis.Redis, names: Mapping[str, str]) -> None:
        self._admin = admin
        self._names = names
        self._looks = dict.fromkeys(names, 0)
        self._asked: dict[str, list[str]] = {}

    def describe_users(self, *, UserId: str) -> dict[str, Any]:  # noqa: N803
        """Give a user. Whoever looks sees a change come nearer."""
        if UserId in self._asked:
            self._looks[UserId] += 1
            if self._looks[UserId] > LOOKS:
                self._change(UserId, self._asked.pop(UserId))
        status = "modifying" if UserId in self._asked else "active"
        return {"Users": [{"UserId": UserId, "UserName": self._names[UserId], "Status": status}]}

    def modify_user(self, *, UserId: str, Passwords: Sequence[str]) -> dict[str, Any]:  # noqa: N803
        """Begin to change a user."""
        if UserId in self._asked:
            raise Refused("InvalidUserState")
        if not 1 <= len(Passwords) <= 2 or not all(16 <= len(each) <= 128 for each in Passwords):
            raise Refused("InvalidParameterValue")
        self._asked[UserId], self._looks[UserId] = list(Passwords), 0
        return {"UserId": UserId, "Status": "modifying"}

    def _change(self, user_id: str, passwords: Sequence[str]) -> None:
        digests = [f"#{hashlib.sha256(each.encode()).hexdigest()}" for each in passwords]
        setuser: Callable[..., object] = self._admin.execute_command
        setuser("ACL", "SETUSER", self._names[user_id], "reset", "on", *digests, "~*", "+@all")
