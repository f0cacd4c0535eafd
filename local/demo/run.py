"""One run, from the first deposit to the last answer: open, listen, drive, drain. outcome.py tells what it came to."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import httpx
import msgspec
from rich.progress import Progress

from local.demo import heard, traders
from local.demo.book import Book
from local.demo.drain import Stage, drain
from local.demo.drive import Driver
from local.demo.failures import together
from local.demo.flow import Message
from local.demo.listen import Listener
from local.demo.traders import Account
from local.demo.witnesses import Baseline, Witnesses
from venue.products import Product

BOOK_PATIENCE_S = 5.0


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where the public API of the venue is."""

    rest: str
    stream: str


class Ears(msgspec.Struct, frozen=True, kw_only=True):
    """All listeners: one user channel an account, in the accounts' order, and the public channels."""

    users: list[Listener]
    matches: Listener
    full: Listener
    level2: Listener
    ticker: Listener

    @property
    def all(self) -> list[Listener]:
        """Every listener."""
        return [*self.users, self.matches, self.full, self.level2, self.ticker]


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What a run leaves to be looked at. Times in seconds since 1970, durations in seconds."""

    driver: Driver
    ears: Ears
    baseline: Baseline
    shown: Book  # by REST, at the end
    started: float
    flow_s: float
    drain_s: float


class Demo:
    """Plays order flow against a venue that is up."""

    def __init__(
        self,
        *,
        addresses: Addresses,
        witnesses: Witnesses,
        accounts: Sequence[Account],
        operator: str,
        product: Product,
        bars: Progress,
    ) -> None:
        self._addresses = addresses
        self._witnesses = witnesses
        self._accounts = accounts
        self._operator = operator
        self._product = product
        self._bars = bars
        self._run = uuid4()

    async def play(self, messages: Sequence[Message], *, clients: int, pace: float) -> Played:
        """Play the messages. Raises DemoStopped when the venue does not let it."""
        async with self._listening() as ears:
            baseline = await self._ready(ears)
            sending = self._bars.add_task("Sending the order flow", total=len(messages))
            driver = Driver(
                run=self._run,
                product=self._product,
                url=self._addresses.rest,
                tokens=[each.token for each in self._accounts],
                clients=clients,
                pace=pace,
                progress=lambda: self._bars.advance(sending),
            )
            started, begun = time.time(), time.monotonic()
            await driver.drive(messages)
            flow_s, begun = time.monotonic() - begun, time.monotonic()
            sequences = await asyncio.to_thread(
                self._witnesses.journal.sequences, self._product, after_batch=baseline.batch
            )
            last = max(sequences, default=0)
            await drain([*self._settling(), *self._arriving(ears, baseline, sequences)], self._bars)
            shown = await self._book(at_least=last)
            drain_s = time.monotonic() - begun
        return Played(
            driver=driver,
            ears=ears,
            baseline=baseline,
            shown=shown,
            started=started,
            flow_s=flow_s,
            drain_s=drain_s,
        )

    async def _ready(self, ears: Ears) -> Baseline:
        """Open all sockets, clear the market of earlier runs, fund the accounts; then note where the venue stands."""
        await together(self._subscribed(ears), self._funded())
        await drain(self._settling(), self._bars)
        return await asyncio.to_thread(self._witnesses.baseline, self._product)

    async def _funded(self) -> None:
        opening = self._bars.add_task("Funding eight accounts", total=len(self._accounts))
        rest, product = self._addresses.rest, self._product
        left = await asyncio.to_thread(self._witnesses.journal.resting, product)
        for account in self._accounts:
            if any(left):
                await traders.cancel_all(rest, account, product=product)
            await traders.fund(rest, account, operator=self._operator, product=product, run=self._run)
            self._bars.advance(opening)

    async def _subscribed(self, ears: Ears) -> None:
        # One after the other: twelve at once would start a worker each, of every function on the way.
        opening = self._bars.add_task("Opening WebSockets", total=len(ears.all))
        for each in ears.all:
            await each.open()
            self._bars.advance(opening)

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[Ears]:
        def listener(channel: str, account: Account | None = None) -> Listener:
            return Listener(
                name=account.name if account else channel,
                url=self._addresses.stream,
                token=account.token if account else None,
                channel=channel,
                product_id=self._product.id,
            )

        ears = Ears(
            users=[listener("user", account) for account in self._accounts],
            matches=listener("matches"),
            full=listener("full"),
            level2=listener("level2"),
            ticker=listener("ticker"),
        )
        try:
            yield ears
        finally:
            await asyncio.gather(*(each.close() for each in ears.all))

    def _settling(self) -> list[Stage]:
        journal, wallets, shard = self._witnesses.journal, self._witnesses.wallets, self._product.shard
        return [
            Stage("Journal to events queue", lambda: (journal.relayed(shard), journal.last_batch(shard))),
            Stage("Events queue to wallets", lambda: (wallets.settled(shard), journal.last_batch(shard))),
        ]

    def _arriving(self, ears: Ears, baseline: Baseline, sequences: Sequence[int]) -> list[Stage]:
        product, witnesses = self._product, self._witnesses
        last = max(sequences, default=0)
        deals = witnesses.journal.deals(product, after_trade=baseline.trade)
        ours = {account.id for account in self._accounts}
        expected = sum(fill.account in ours for deal in deals for fill in deal.fills)

        def public() -> tuple[int, int]:
            book, _ = heard.rebuild(ears.level2.heard)
            trades = set(heard.trades(ears.matches.heard, product))
            arrived = len(set(heard.sequences(ears.full.heard))) + len(trades) + (book.sequence >= last)
            ticked = not deals or heard.tickers(ears.ticker.heard)[-1:] == [deals[-1].trade.trade_id]
            return arrived + ticked, len(sequences) + len(deals) + 2

        def private() -> tuple[int, int]:
            balances = witnesses.wallets.balances()
            fills = right = told = 0
            for account, ear in zip(self._accounts, ears.users, strict=True):
                fills += len(set(heard.fills(ear.heard, account.id)))
                known = heard.balances(ear.heard, account.id, product)
                told += len(known)
                right += sum(balances.get(wallet) == amounts for wallet, amounts in known.items())
            return fills + right, expected + told

        def archived() -> tuple[int, int]:
            return len(set(witnesses.tape_sequences(product, baseline))), len(sequences)

        return [
            Stage("Public WebSocket channels", public),
            Stage("Private WebSocket channels", private),
            Stage("Tape in S3", archived),
        ]

    async def _book(self, *, at_least: int) -> Book:
        """Ask REST for the book, until it stands at the last sequence: Redis may lag by some milliseconds."""
        until = time.monotonic() + BOOK_PATIENCE_S
        async with httpx.AsyncClient(base_url=self._addresses.rest, timeout=30, trust_env=False) as http:
            while True:
                book = Book()
                with suppress(httpx.TransportError):
                    answer = await http.get(f"/products/{self._product.id}/book", params={"level": 2})
                    if answer.is_success:
                        book.restart(answer.json())
                if book.sequence >= at_least or time.monotonic() > until:
                    return book
                await asyncio.sleep(0.1)
