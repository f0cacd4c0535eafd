"""Dead letters sent again: python -m local.redrive orders | events

What `aws sqs start-message-move-task` does in an account, for the emulator, which has no such call. Order within a
group is kept. A message is sent before it is deleted, so that an interruption doubles it rather than loses it; both
queues' readers recognise what they have done.
"""

import argparse
import sys
from typing import TYPE_CHECKING

from local.venue import Venue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# Which queues, by the names of the stack's outputs: from, to.
QUEUES = {
    "orders": ("OrderDeadLettersUrl", "OrderQueueUrl"),
    "events": ("EventsDeadLettersUrl", "EventsQueueUrl"),
}
RECEIVE_MAX = 10
HOLD_S = 60


def redrive(sqs: "SQSClient", *, dead: str, alive: str) -> int:
    """Move all messages from the queue `dead` to the queue `alive`; gives how many."""
    moved = 0
    while True:
        answer = sqs.receive_message(
            QueueUrl=dead,
            MaxNumberOfMessages=RECEIVE_MAX,
            VisibilityTimeout=HOLD_S,
            MessageSystemAttributeNames=["MessageGroupId"],
        )
        messages = answer.get("Messages", [])
        if not messages:
            return moved
        for message in messages:
            sqs.send_message(
                QueueUrl=alive,
                MessageBody=message["Body"],
                MessageGroupId=message["Attributes"]["MessageGroupId"],
                # Its own id, and not the one it was sent with: within five minutes that would be a repetition.
                MessageDeduplicationId=f"again-{message['MessageId']}",
            )
            sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
            moved += 1


def main() -> int:
    """Move the dead letters of one queue of the running local venue."""
    parser = argparse.ArgumentParser(prog="python -m local.redrive", description=main.__doc__)
    parser.add_argument("queue", choices=sorted(QUEUES))
    dead, alive = QUEUES[parser.parse_args().queue]
    venue = Venue()
    moved = redrive(venue.client("sqs"), dead=venue.outputs[dead], alive=venue.outputs[alive])
    print(f"redrive: {moved} messages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
