"""Before a new version gets traffic, CodeDeploy asks here whether it should: each new one is asked something first."""

from collections.abc import Callable

from venue_aws import wiring
from venue_aws.observed import Event, Handler, Line, observed
from venue_aws.rollout import Rollout


def build(rollout: Callable[[], Rollout]) -> Handler[None]:
    """Make the handler. It answers CodeDeploy by a call of its own: what is not told within the hour has failed."""

    @observed
    def try_version(event: Event, line: Line) -> None:
        failures = rollout().try_all()
        line.tell(deployment=event["DeploymentId"], failures=failures)
        rollout().report(event["DeploymentId"], event["LifecycleEventHookExecutionId"], passed=not failures)

    return try_version


handler = build(wiring.rollout)
