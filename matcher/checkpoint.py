"""python -m matcher.checkpoint --shard n: from the last checkpoint over the journal to its end; save that, and exit.

The owner of a shard without a standby starts it; so may an operator, at any time and anywhere.
"""

import argparse
import asyncio
import logging
import os
import sys
import threading

from matcher.shell import access, wiring
from matcher.shell import log as logs
from matcher.shell.errors import JournalBroken
from matcher.shell.follower import Follower
from matcher.shell.journal import Connect

log = logging.getLogger("matcher.checkpoint")

# As little as there is: whoever serves orders comes first.
_NICENESS = 10


async def save(connect: Connect, shard: int) -> None:
    """Write a checkpoint of a shard's journal as it is now. Raises JournalBroken."""
    async with connect() as own:
        follower = await Follower.load(own, shard)
        await follower.catch_up(own)
        if follower.commands > follower.saved:
            await follower.save(own)


def _end_with_parent() -> None:
    """End when standard input does: the parent holds its other end."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(3)

    threading.Thread(target=wait, daemon=True).start()


def main() -> int:
    """Save one; 0 when it is written, 1 when it cannot be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shard", type=int, required=True)
    parser.add_argument("--child", action="store_true", help="end when standard input does")
    told = parser.parse_args()
    settings = wiring.read(os.environ)
    logs.configure(settings.log_level)
    if told.child:
        os.nice(_NICENESS)
        _end_with_parent()
    try:
        asyncio.run(save(access.journal(settings), told.shard))
    except JournalBroken:
        log.critical("must_not_serve", exc_info=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
