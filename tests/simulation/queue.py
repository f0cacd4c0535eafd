"""An SQS FIFO queue and its dead letters, behind the calls of boto3 that the venue makes.

Order within a group; a group waits while any of its messages is in flight; at least once; a message that was received
too often becomes a dead letter; the same deduplication id within five minutes is one message.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from botocore.exceptions import EndpointConnectionError

from tests.simulation.loop import pause, wait
from tests.simulation.process import Process
from tests.simulation.trouble import Trouble

_DEDUPLICATED_S = 300.0


class Stored(msgspec.Struct):
    """A message. `receipt`: of its latest delivery."""

    number: int
    group: str
    body: str
    deliveries: int = 0
    receipt: str = ""
    visible_at: float = 0.0


class Fifo:
    """One queue. `visible_s`: how long a received message stays out of sight.

    `taken` is told of each message that it takes, `given_up` of each that becomes a dead letter.
    """

    def __init__(self, name: str, trouble: Trouble, *, visible_s: float, receives_max: int) -> None:
        self.name = name
        self.trouble = trouble
        self.messages: dict[int, Stored] = {}
        self.dead: list[Stored] = []
        self.deleted: list[Stored] = []
        self.taken: Callable[[Stored], None] = _ignored
        self.given_up: Callable[[Stored], None] = _ignored
        self._visible_s = visible_s
        self._receives_max = receives_max
        self._count = 0
        self._sent: dict[str, float] = {}
        self._listening: list[asyncio.Future[None]] = []

    def send(self, body: str, *, group: str, deduplication: str, now: float) -> None:
        """Take a message, unless it was taken before."""
        if now - self._sent.get(deduplication, float("-inf")) < _DEDUPLICATED_S:
            return
        self._sent[deduplication] = now
        self._count += 1
        message = self.messages[self._count] = Stored(self._count, group, body)
        self.taken(message)
        self._tell()

    async def news(self, until: float) -> None:
        """Wait until there may be something to receive."""
        loop = asyncio.get_running_loop()
        heard = loop.create_future()
        self._listening.append(heard)
        shown = (message.visible_at for message in self.messages.values() if message.visible_at > loop.time())
        timer = loop.call_at(min([until, *shown]), _wake, heard)
        try:
            await heard
        finally:
            timer.cancel()

    def receive(self, now: float, *, most: int = 10) -> list[Stored]:
        """Deliver what may be delivered, oldest first; a group whose message is in flight waits."""
        given: list[Stored] = []
        blocked: set[str] = set()
        for message in list(self.messages.values()):
            if len(given) == most:
                break
            if message.group in blocked:
                continue
            if message.visible_at > now:
                blocked.add(message.group)
            elif message.deliveries >= self._receives_max:
                self.give_up(message.number)
            else:
                message.deliveries += 1
                message.receipt = f"{message.number}/{message.deliveries}"
                given.append(message)
        for message in given:
            message.visible_at = now + self._visible_s
        return given

    def delete(self, receipt: str, now: float) -> bool:
        """Delete a message; False when this receipt is over."""
        message = self._held(receipt, now)
        if message is None:
            return False
        self.deleted.append(self.messages.pop(message.number))
        if self.trouble.takes("queue_duplicate"):
            message.visible_at = now
            self.messages = dict(sorted({**self.messages, message.number: message}.items()))
        return True

    def show_after(self, receipt: str, seconds: float, now: float) -> bool:
        """Set when a message is visible again; False when this receipt is over."""
        message = self._held(receipt, now)
        if message is None:
            return False
        message.visible_at = now + seconds
        self._tell()
        return True

    def give_up(self, number: int) -> None:
        """Make a message a dead letter."""
        message = self.messages.pop(number)
        self.dead.append(message)
        self.given_up(message)

    def redrive(self) -> int:
        """Bring the dead letters back, behind what waits."""
        dead, self.dead = self.dead, []
        for message in dead:
            self._count += 1
            self.messages[self._count] = Stored(self._count, message.group, message.body)
        self._tell()
        return len(dead)

    def _tell(self) -> None:
        listening, self._listening = self._listening, []
        for heard in listening:
            _wake(heard)

    def _held(self, receipt: str, now: float) -> Stored | None:
        message = self.messages.get(int(receipt.partition("/")[0]))
        if message is None or message.receipt != receipt or message.visible_at <= now:
            return None
        return message


class Sqs:
    """boto3's client, as one process has it. Blocking: it runs by `blocking`. The URL is the queue's name."""

    def __init__(self, process: Process, queues: Sequence[Fifo], trouble: Trouble) -> None:
        self._process = process
        self._queues = {queue.name: queue for queue in queues}
        self._trouble = trouble

    def send_message(self, **asked: str) -> dict[str, Any]:
        """See boto3."""
        queue = self._reach(asked["QueueUrl"])
        queue.send(
            asked["MessageBody"],
            group=asked["MessageGroupId"],
            deduplication=asked["MessageDeduplicationId"],
            now=_now(),
        )
        self._back(lost=self._trouble.takes("queue_answer_lost"))
        return {}

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        queue = self._reach(asked["QueueUrl"])
        until = _now() + float(asked["WaitTimeSeconds"])
        given = queue.receive(_now(), most=asked["MaxNumberOfMessages"])
        while not given and _now() < until:
            wait(queue.news(until))
            self._process.check()
            given = queue.receive(_now(), most=asked["MaxNumberOfMessages"])
        messages = [
            {
                "MessageId": str(message.number),
                "Body": message.body,
                "ReceiptHandle": message.receipt,
                "Attributes": {"ApproximateReceiveCount": str(message.deliveries), "MessageGroupId": message.group},
            }
            for message in given
        ]
        self._back()
        return {"Messages": messages}

    def delete_message_batch(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        queue = self._reach(asked["QueueUrl"])
        if self._trouble.takes("queue_delete_lost"):
            self._back(lost=True)
        gone = [entry for entry in asked["Entries"] if not queue.delete(entry["ReceiptHandle"], _now())]
        self._back()
        return {"Failed": [{"Id": entry["Id"], "Code": "ReceiptHandleIsInvalid"} for entry in gone]}

    def change_message_visibility_batch(self, **asked: Any) -> dict[str, Any]:
        """See boto3."""
        queue = self._reach(asked["QueueUrl"])
        gone = [
            entry
            for entry in asked["Entries"]
            if not queue.show_after(entry["ReceiptHandle"], entry["VisibilityTimeout"], _now())
        ]
        self._back()
        return {"Failed": [{"Id": entry["Id"], "Code": "MessageNotInflight"} for entry in gone]}

    def _reach(self, name: str) -> Fifo:
        self._process.check()
        pause(self._trouble.way())
        self._process.check()
        if self._trouble.lasts(f"{name}_away"):
            raise EndpointConnectionError(endpoint_url=name)
        return self._queues[name]

    def _back(self, *, lost: bool = False) -> None:
        pause(self._trouble.way())
        self._process.check()
        if lost:
            raise EndpointConnectionError(endpoint_url="the answer was lost")


def _wake(heard: asyncio.Future[None]) -> None:
    if not heard.done():
        heard.set_result(None)


def _ignored(_: Stored) -> None:
    """Nobody listens."""


def _now() -> float:
    return asyncio.get_running_loop().time()
