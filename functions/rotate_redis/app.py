"""When Secrets Manager says so: one step in the rotation of a user of Redis."""

from collections.abc import Callable

import msgspec

from venue_aws import wiring
from venue_aws.observed import Event, Handler, Line, observed
from venue_aws.rotation import Rotation, Step


def build(rotation: Callable[[], Rotation]) -> Handler[None]:
    """Make the handler."""

    @observed
    def rotate_redis(event: Event, line: Line) -> None:
        step = msgspec.convert(event, Step)
        line.tell(secret=step.secret, version=step.token, step=step.name)
        line.tell(taken=rotation().take(step))

    return rotate_redis


handler = build(wiring.early(wiring.redis_rotation))
