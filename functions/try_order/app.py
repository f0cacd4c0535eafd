"""Once in a while: can an order be placed and taken back, by the road that every client takes? A canary tries it."""

from collections.abc import Callable

from venue_aws import wiring
from venue_aws.canary import Canary, CanaryFailed
from venue_aws.observed import Event, Handler, Line, observed


def build(canary: Callable[[], Canary]) -> Handler[None]:
    """Make the handler. A trip that fails is told as a number and in the log; the next one begins anew."""

    @observed
    def try_order(event: Event, line: Line) -> None:
        del event  # a clock's tick says nothing
        try:
            trip = canary().fly()
        except CanaryFailed as failure:
            line.failure = failure
            line.tell(step=failure.step)
            line.gauge("CanaryFailed", 1)
            return
        line.gauge("CanaryFailed", 0)
        line.measure_ms("CanaryAcknowledge", trip.acknowledged_ms)
        line.tell(order_id=trip.order_id, acknowledged_ms=trip.acknowledged_ms)

    return try_order


handler = build(wiring.canary)
