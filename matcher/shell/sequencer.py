"""The sequencer: commands in, one after the other; batches into the journal; answers only after their commit.

A command is applied to the books when it arrives and joins the open batch. As long as a commit is under way the batch
grows; when the commit is through, the batch is sealed and goes next. So memory may be one batch ahead of the journal,
and nothing leaves this process before the journal has it. Memory is never rolled back: after a failed commit, or one
of unknown outcome, this sequencer and its engine are dropped.

Time comes in commands (docs/adr/0010): what is due is done before a command of that time or later is applied, and when
no command comes, whenever `pass_time` is called.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from matcher.core.engine import Engine
from matcher.shell.batch import Batch, Look, Outcomes, Waiting
from matcher.shell.chain import Chain
from matcher.shell.errors import MatcherError, NotOwner, OutcomeUnknown, Overloaded
from matcher.shell.journal import Entry, Journal
from matcher.shell.outcome import outcome_of
from venue.commands import AnyCommand, Expire
from venue.events import AnyEvent

log = logging.getLogger("matcher.sequencer")

WAITING_MAX: Final = 4096

type Clock = Callable[[], int]
# Whoever wants to hear of each batch and its events after its commit. Must not block and must not raise.
type Committed = Callable[[Entry, list[AnyEvent]], None]

_encode = msgspec.json.Encoder().encode
_stamp = msgspec.structs.force_setattr


class Sequencer:
    """One shard's single file. Its engine belongs to it: nobody else touches the books.

    sequence, at, chain: where the journal's last batch leaves them. commands: how many the journal has. clock: gives µs
    since 1970 UTC and may run backwards. still_mine: raises when another may own the shard.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        *,
        sequence: int,
        at: int,
        clock: Clock,
        chain: Chain | None = None,
        commands: int = 0,
        committed: Committed | None = None,
        still_mine: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._sequence = sequence
        self._at = at
        self._clock = clock
        self._chain = chain or Chain(engine.shard)
        self._commands = commands
        # What is journalled beyond so many commands would take too long to recover: see matcher.shell.checkpointer.
        self.commands_max: int | None = None
        self._committed = committed
        self._still_mine = still_mine
        self._open = Batch()
        self._under_way: Batch | None = None
        self._overflow: deque[tuple[AnyCommand, Waiting]] = deque()
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._closed: str | None = None
        self._broken: Exception | None = None

    @property
    def sequence(self) -> int:
        """The sequence of the last committed batch."""
        return self._sequence

    @property
    def commands(self) -> int:
        """How many commands the journal has by now, or will have when the batch under way is through."""
        return self._commands

    @property
    def is_open(self) -> bool:
        """Whether it takes commands."""
        return self._closed is None

    def submit(self, command: AnyCommand) -> asyncio.Future[bytes]:
        """Put a command in line; the future gives its venue.wire.Outcome as JSON, once it is committed.

        The command's `at` is stamped. Raises Refused; the future raises Refused (surely not executed) or
        OutcomeUnknown.
        """
        self._admit(1)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._take(command, future)
        self._wake.set()
        return future

    def submit_all(self, commands: Sequence[AnyCommand]) -> asyncio.Future[bytes]:
        """Put several commands in line, one right after the other; the future gives their outcomes as a JSON array.

        All of them are taken or, where it raises, none. It fails as a whole when one of them does; when one outcome is
        unknown, that of the array is.
        """
        self._admit(len(commands))
        outcomes = Outcomes(len(commands))
        for command in commands:
            self._take(command, outcomes)
        self._wake.set()
        return outcomes.future

    def pass_time(self, *, auctions: bool = False) -> None:
        """Do what is due by now, as far as the open batch has room. `auctions`: let them tell how they stand."""
        if self._closed is not None or self._overflow:
            return
        if self._is_free() and auctions and self._has_auction():
            self._expire()
        if self._broken is not None or not self._open.is_empty():
            self._wake.set()

    async def look[T](self, ask: Callable[[Engine, int], T]) -> T:
        """Ask the engine something between two batches; the answer comes when the state it describes is durable.

        `ask` gets the engine, and the sequence of the last batch that is in it.
        """
        if self._closed is not None:
            raise NotOwner(self._closed)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._open.looks.append(Look(ask, future))
        self._wake.set()
        return await future

    async def run(self) -> None:
        """Commit batch after batch, until cancelled or until something fails, which it raises. Then all is over."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while not self._open.is_empty() or self._broken is not None:
                    if self._broken is not None:
                        raise self._broken
                    await self._commit()
                    self._refill()
                if self._closed is not None:
                    self._drained.set()
        except BaseException as error:
            self._abandon(error)
            raise

    async def drain(self) -> None:
        """Take nothing more; return when all that was taken is committed and answered."""
        self._closed = "this matcher is stopping"
        self._wake.set()
        await self._drained.wait()

    def _admit(self, commands: int) -> None:
        """Raise Refused unless so many more may be put in line."""
        if self._closed is not None:
            raise NotOwner(self._closed)
        if len(self._overflow) + commands > WAITING_MAX:
            raise Overloaded("too many commands are waiting")
        if self.commands_max is not None and self._commands >= self.commands_max:
            raise Overloaded("the journal has run too far ahead of its checkpoints")

    def _take(self, command: AnyCommand, waiting: Waiting) -> None:
        if self._overflow or not self._is_free():
            self._overflow.append((command, waiting))
        else:
            self._apply(command, waiting)

    def _is_free(self) -> bool:
        """Whether the open batch takes a command now. What is due by now goes into it first."""
        if self._broken is not None:
            return False
        self._at = max(self._at, self._clock())
        batch = self._open
        while not batch.is_full():
            due = self._engine.due
            if due is None or due > self._at or not self._expire():
                return True
        return False

    def _has_auction(self) -> bool:
        books = map(self._engine.book, self._engine.products)
        return any(book is not None and book.status == "auction" for book in books)

    def _expire(self) -> bool:
        """Let time pass in the books; whether anything happened."""
        return self._apply(Expire(), None)

    def _apply(self, command: AnyCommand, waiting: Waiting | None) -> bool:
        """Do what is asked, as of the time that was taken last; whether anything happened."""
        _stamp(command, "at", self._at)
        batch = self._open
        outcome, events = b"", list[AnyEvent]()
        try:
            events = self._engine.apply(command)
            if events:
                batch.add(command, events, self._engine)
            if waiting is not None:
                outcome = _encode(outcome_of(self._engine, command, events))
        except Exception as error:
            # The books may be half changed, so nothing of the open batch may reach the journal any more.
            log.exception("command_broke_the_engine", extra={"command": command})
            self._closed = "this matcher has failed"
            self._broken = error
        if waiting is not None:
            batch.answers.append((waiting, outcome))
        return bool(events)

    async def _commit(self) -> None:
        batch, entry = self._seal()
        self._under_way = batch
        if self._overflow:
            # Once the batch is on its way: the journal need not wait until the next one is matched.
            asyncio.get_running_loop().call_soon(self._refill)
        if entry is not None:
            await self._journal.append(entry)
            self._sequence = entry.sequence
            if self._committed is not None:
                self._committed(entry, batch.events)
        elif self._still_mine is not None:
            # Nothing happened, so no statement meets the fence: what is answered may be what a successor has changed.
            await self._still_mine()
        self._under_way = None
        for waiting, outcome in batch.answers:
            if not waiting.done():
                waiting.set_result(outcome)
        for look in batch.looks:
            if not look.answer.done():
                look.answer.set_result(look.found)

    def _seal(self) -> tuple[Batch, Entry | None]:
        """Close the open batch, with the state as it stands right after it, and open the next."""
        batch = self._open
        entry = self._entry(batch) if batch.events else None
        for look in batch.looks:
            look.found = look.ask(self._engine, self._sequence if entry is None else entry.sequence)
        self._open = Batch()
        return batch, entry

    def _refill(self) -> None:
        """Let those who waited outside into the open batch, as far as it has room."""
        while self._overflow and self._is_free():
            self._apply(*self._overflow.popleft())

    def _entry(self, batch: Batch) -> Entry:
        sequence, commands, events = self._sequence + 1, _encode(batch.commands), _encode(batch.events)
        self._commands += len(batch.commands)
        return Entry(
            sequence=sequence,
            at=batch.at,
            commands=commands,
            events=events,
            checksum=self._chain.seal(sequence, batch.at, commands, events),
            orders=[order for order in map(self._engine.order, batch.touched) if order is not None],
            trades=batch.trades,
            postings=batch.postings,
            products=batch.products,
        )

    def _abandon(self, error: BaseException) -> None:
        """Answer everyone who still waits: only what was on its way to the journal has an unknown outcome."""
        self._closed = "this matcher has stepped down"
        sent = NotOwner if isinstance(error, NotOwner) else OutcomeUnknown
        if self._under_way is not None:
            for waiting, _ in self._under_way.answers:
                _refuse(waiting, sent("the journal did not confirm the commit"))
            for look in self._under_way.looks:
                _refuse(look.answer, NotOwner(self._closed))
        for waiting, _ in self._open.answers:
            _refuse(waiting, NotOwner(self._closed))
        for look in self._open.looks:
            _refuse(look.answer, NotOwner(self._closed))
        for _, waiting in self._overflow:
            _refuse(waiting, NotOwner(self._closed))


def _refuse(waiting: asyncio.Future[Any] | Outcomes, error: MatcherError) -> None:
    if not waiting.done():
        waiting.set_exception(error)
