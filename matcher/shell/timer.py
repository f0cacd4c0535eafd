"""The timer: time passes in the books also while nobody sends anything."""

import asyncio
from itertools import count
from typing import Final

from matcher.shell.sequencer import Sequencer

# How late, in quiet times, an order may be told that it has expired. It never trades after its time: before every
# command the sequencer itself does what is due.
TICK_S: Final = 0.05
# How often an auction tells its indicative price: once in so many ticks.
AUCTION_TICKS: Final = 20


async def keep_time(sequencer: Sequencer) -> None:
    """Let time pass in the sequencer's books, for ever."""
    for tick in count(1):
        await asyncio.sleep(TICK_S)
        sequencer.pass_time(auctions=tick % AUCTION_TICKS == 0)
