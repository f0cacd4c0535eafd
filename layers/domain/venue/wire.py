"""One encoding for every hop: commands to the matcher and the order queue, outcomes back, batches to the events queue,
records on the tape. JSON, so that a person can read a queue.
"""

from collections.abc import Iterable, Iterator

import msgspec

from venue.commands import AnyCommand
from venue.events import AnyEvent
from venue.ledger import Posting
from venue.orders import Fill, Order
from venue.products import Asset, Product


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one command, after its batch was committed.

    orders: those the command placed or cancelled, as it left them (for a PlaceOrder exactly one, with its fills).
    refused: the reason when a rule refused the command. replayed: the id was known; nothing was done again. more: a
    command that cancels many has come to its limit; the same again would cancel others.
    """

    orders: list[Order] = []
    fills: list[Fill] = []
    refused: str | None = None
    replayed: bool = False
    more: bool = False


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One journal batch, as it goes to the events queue. `sequence` is gapless per shard; `at` in µs.

    Where a batch is too large for one message, `events` is None and the reader takes it from the journal.
    """

    shard: int
    sequence: int
    at: int
    events: list[AnyEvent] | None
    postings: list[Posting] | None


class WalletChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet after a batch was settled, minor units; `sequence` is that of the batch in its shard."""

    account: str
    asset: str
    free: int
    held: int
    shard: int
    sequence: int
    at: int


class TapeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run of one batch's events of one product (or wallets, or events without a product), as it goes on the tape.

    It brings the product's rules, or the assets of wallets and deposits, along: the tape can be read by itself, years
    later. `part` numbers the records of one batch from 0.
    """

    shard: int
    batch: int
    part: int
    at: int
    product: Product | None = None
    assets: list[Asset] = []
    events: list[AnyEvent] = []
    wallets: list[WalletChanged] = []


COMMAND = msgspec.json.Decoder(AnyCommand)
COMMANDS = msgspec.json.Decoder(list[AnyCommand])
EVENTS = msgspec.json.Decoder(list[AnyEvent])
OUTCOME = msgspec.json.Decoder(Outcome)
OUTCOMES = msgspec.json.Decoder(list[Outcome])
_BATCHES = msgspec.json.Decoder(Batch | list[Batch])
_RECORDS = msgspec.json.Decoder(TapeRecord | list[TapeRecord])
PRODUCT = msgspec.json.Decoder(Product)

encode = msgspec.json.Encoder().encode


def batches(body: str | bytes) -> list[Batch]:
    """Read one message of the events queue: a run of one shard's batches, in order. Raises msgspec.DecodeError."""
    read = _BATCHES.decode(body)
    return read if isinstance(read, list) else [read]


def records(data: bytes) -> list[TapeRecord]:
    """Read what one Kinesis record carries: a run of one product's tape, in order. Raises msgspec.DecodeError."""
    read = _RECORDS.decode(data)
    return read if isinstance(read, list) else [read]


def runs(encoded: Iterable[bytes], *, bytes_max: int) -> Iterator[list[bytes]]:
    """Cut what is encoded into runs of at most `bytes_max` together; one that is larger by itself is a run of its own.

    The same pieces are always cut in the same places.
    """
    run: list[bytes] = []
    size = 0
    for piece in encoded:
        if run and size + len(piece) + len(run) > bytes_max:
            yield run
            run, size = [], 0
        run.append(piece)
        size += len(piece)
    if run:
        yield run


def array(run: Iterable[bytes]) -> bytes:
    """Put encoded pieces together as one JSON array, as `batches` and `records` read it."""
    return b"[" + b",".join(run) + b"]"
