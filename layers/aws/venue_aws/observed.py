"""What can be seen of a function that no REST client calls: one line of log a call, a trace, metrics."""

import functools
import time
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

type Event = dict[str, Any]
type Handler[Answer] = Callable[[Event, LambdaContext], Answer]

logger = Logger()
# Answers are left out of the trace, and libraries are not patched: clients are called from threads that have no trace.
tracer = Tracer(auto_patch=False)
metrics = Metrics(namespace="Venue")


class Line:
    """The log line of one call, as the handler fills it in. Nothing that is secret belongs here."""

    def __init__(self) -> None:
        self.fields: dict[str, object] = {}
        self.failure: BaseException | None = None

    def tell(self, **fields: object) -> None:
        """Add fields."""
        self.fields.update(fields)

    def count(self, name: str, value: float = 1) -> None:
        """Count a business event in CloudWatch; zero is not worth a line."""
        if value:
            metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)

    def gauge(self, name: str, value: float) -> None:
        """Record a number in CloudWatch; zero is the news here that all is well."""
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)

    def measure_ms(self, name: str, value: float) -> None:
        """Record a duration in CloudWatch."""
        metrics.add_metric(name=name, unit=MetricUnit.Milliseconds, value=value)


def observed[Answer](handler: Callable[[Event, Line], Answer]) -> Handler[Answer]:
    """Make a Lambda handler that logs one line a call, whatever becomes of it, and flushes its metrics."""

    def call(event: Event, context: LambdaContext) -> Answer:
        del context  # the logger has taken what it needs
        line, started = Line(), time.perf_counter()
        try:
            return handler(event, line)
        except Exception as error:
            line.failure = error
            line.tell(failed=True)
            raise
        finally:
            line.tell(ms=round((time.perf_counter() - started) * 1000, 1))
            level = logger.info if line.failure is None else logger.error
            level("called", extra=line.fields, exc_info=line.failure)
            if metrics.metric_set:
                metrics.flush_metrics()

    logged: Handler[Answer] = logger.inject_lambda_context(call)
    traced: Handler[Answer] = tracer.capture_lambda_handler(logged, capture_response=False)
    return functools.wraps(handler)(traced)
