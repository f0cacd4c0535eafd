"""The rotation of a secret in the four steps of Secrets Manager. Each may come twice, and after each the world may end:

createSecret    a new login is made up, and kept as AWSPENDING
setSecret       the service takes it as well, beside the current one
testSecret      it opens the door
finishSecret    it becomes AWSCURRENT, the one until now AWSPREVIOUS

Until the last step everybody uses the current login, and after it that one stays good until setSecret of the next
rotation. So whoever reads the secret, at any time, is let in; and two rotations in a row make a leaked login worthless.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CURRENT: Final = "AWSCURRENT"
PENDING: Final = "AWSPENDING"

# A secret's JSON object.
type Content = dict[str, Any]


class RotationRefused(Exception):
    """This rotation must not go on. The message has nothing of what a secret holds but user names."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What Secrets Manager asks for: one step towards one version of one secret."""

    secret: str = msgspec.field(name="SecretId")
    token: str = msgspec.field(name="ClientRequestToken")
    name: Literal["createSecret", "setSecret", "testSecret", "finishSecret"] = msgspec.field(name="Step")


class Keeper(Protocol):
    """The service that lets in whoever shows a login."""

    def propose(self, current: Content) -> Content:
        """Make up the login that comes after this one."""
        ...

    def admit(self, pending: Content, *, current: Content) -> None:
        """Let in the pending login, and the current one as before; nobody else of that kind. Raises RotationRefused."""
        ...

    def test(self, pending: Content) -> None:
        """Go in with it. Raises RotationRefused."""
        ...


class Rotation:
    """Takes the steps of secrets whose logins one keeper knows. Any exception means: not taken, ask again."""

    def __init__(self, secrets: Callable[[], SecretsManagerClient], keeper: Keeper) -> None:
        self._secrets = secrets
        self._keeper = keeper

    def take(self, step: Step) -> bool:
        """Take one step. False: there is nothing to do, the version is current. Raises RotationRefused."""
        versions = self._secrets().describe_secret(SecretId=step.secret)["VersionIdsToStages"]
        stages = versions.get(step.token, [])
        if CURRENT in stages:
            return False
        if PENDING not in stages:
            raise RotationRefused(f"version {step.token} is not pending: another rotation has begun since, or none")
        match step.name:
            case "createSecret":
                self._create(step)
            case "setSecret":
                self._keeper.admit(self._pending(step), current=self._current(step))
            case "testSecret":
                self._keeper.test(self._pending(step))
            case "finishSecret":
                self._finish(step, versions)
        return True

    def _create(self, step: Step) -> None:
        if self._read(step, VersionId=step.token, VersionStage=PENDING) is not None:
            return
        proposed = msgspec.json.encode(self._keeper.propose(self._current(step))).decode()
        self._secrets().put_secret_value(
            SecretId=step.secret, ClientRequestToken=step.token, SecretString=proposed, VersionStages=[PENDING]
        )

    def _finish(self, step: Step, versions: dict[str, list[str]]) -> None:
        # A step that came without those before it must not make an untried login current.
        self._keeper.test(self._pending(step))
        (until_now,) = [version for version, stages in versions.items() if CURRENT in stages]
        self._secrets().update_secret_version_stage(
            SecretId=step.secret, VersionStage=CURRENT, MoveToVersionId=step.token, RemoveFromVersionId=until_now
        )

    def _current(self, step: Step) -> Content:
        found = self._read(step, VersionStage=CURRENT)
        if found is None:
            raise RotationRefused("the secret has no current login to begin from")
        return found

    def _pending(self, step: Step) -> Content:
        found = self._read(step, VersionId=step.token, VersionStage=PENDING)
        if found is None:
            raise RotationRefused(f"version {step.token} holds nothing: createSecret comes first")
        return found

    def _read(self, step: Step, **which: str) -> Content | None:
        try:
            answer = self._secrets().get_secret_value(SecretId=step.secret, **which)
        except self._secrets().exceptions.ResourceNotFoundException:
            return None
        if not answer.get("SecretString"):
            return None
        try:
            return msgspec.json.decode(answer["SecretString"], type=dict[str, Any])
        except msgspec.DecodeError:
            raise RotationRefused("the secret holds no JSON object") from None
