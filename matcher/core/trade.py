"""Two orders meet."""

from typing import Final

from matcher.core import telling
from matcher.core.ladder import Ladder, Level
from matcher.core.turn import Turn
from matcher.core.working import WorkingOrder
from venue.events import Traded

# How many makers one order may meet at once, each slice of an iceberg counted. What is left of it then is cancelled, so
# that no command makes events without end.
MAKERS_MAX: Final = 1_000


def trade(maker: WorkingOrder, taker: WorkingOrder, turn: Turn, price: int, size: int) -> Traded:
    """Trade `size` lots at `price` ticks between two orders; the levels are the caller's to change."""
    book = turn.book
    value = price * size * book.lot_value
    maker_fee, maker_released = maker.fill(size, value, maker.command.maker_bps)
    taker_fee, taker_released = taker.fill(size, value, taker.command.taker_bps)
    book.sequence += 1
    book.trade_id += 1
    # Each side takes its own number: an account that trades with itself takes two.
    maker_account, taker_account = maker.trader.account, taker.trader.account
    maker_account.sequence = maker_sequence = maker_account.sequence + 1
    taker_account.sequence = taker_sequence = taker_account.sequence + 1
    traded = Traded(
        turn.at,
        book.sequence,
        book.trade_id,
        book.product_id,
        maker.command.side,
        price,
        size,
        maker.command.order_id,
        maker_account.name,
        maker_sequence,
        maker_fee,
        taker.command.order_id,
        taker_account.name,
        taker_sequence,
        taker_fee,
        maker_released,
        taker_released,
    )
    maker.keep(traded)
    taker.keep(traded)
    return traded


def exhausted(maker: WorkingOrder, level: Level, ladder: Ladder, turn: Turn) -> None:
    """All that `maker` showed has traded: an iceberg shows its next slice, any other order is filled."""
    display_size = maker.command.display_size
    if maker.remaining and display_size is not None:
        level.renew(maker, display_size)
        turn.events.append(telling.opened(maker, turn.book, turn.at))
    else:
        ladder.remove(maker, level)
        turn.end(maker, "filled")
