"""Checkpoints by a child process of the owner: at low priority, bounded in time, and gone when its parent is."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from typing import Final

from matcher.shell.checkpointer import CheckpointFailed

# Far more than a checkpoint of a million orders takes; a journal without any is replayed from its first row.
_ENDS_AFTER_S: Final = 900


async def write_checkpoint(shard: int) -> None:
    """Run `python -m matcher.checkpoint` in this environment. Raises CheckpointFailed."""
    # It ends when the pipe to its standard input is closed, so it never outlives this process.
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "matcher.checkpoint", "--shard", str(shard), "--child", stdin=PIPE
    )
    try:
        async with asyncio.timeout(_ENDS_AFTER_S):
            code = await child.wait()
    except TimeoutError as error:
        raise CheckpointFailed(f"the child took more than {_ENDS_AFTER_S} s") from error
    finally:
        if child.returncode is None:
            child.kill()
    if code:
        raise CheckpointFailed(f"the child ended with {code}")
