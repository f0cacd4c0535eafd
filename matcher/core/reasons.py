"""Why the matcher refuses: stable strings, listed once. They travel to clients as `reject_reason`."""

from typing import Final

UNKNOWN_PRODUCT: Final = "unknown_product"
DEADLINE: Final = "deadline"
BAD_PRICE: Final = "bad_price"
BAD_SIZE: Final = "bad_size"
SIZE_TOO_SMALL: Final = "size_too_small"
SIZE_TOO_LARGE: Final = "size_too_large"
BAD_FUNDS: Final = "bad_funds"
UNBOUNDED: Final = "unbounded"
BAD_TIME_IN_FORCE: Final = "bad_time_in_force"
BAD_RATE: Final = "bad_rate"
TOO_LARGE: Final = "too_large"
INSUFFICIENT_HOLD: Final = "insufficient_hold"
POST_ONLY: Final = "post_only"
FOK: Final = "fok"
NOT_FOUND: Final = "not_found"
ORDER_DONE: Final = "order_done"
BAD_EXPIRY: Final = "bad_expiry"
BAD_STOP: Final = "bad_stop"
BAD_DISPLAY: Final = "bad_display_size"
NOTIONAL_TOO_SMALL: Final = "notional_too_small"
TOO_MANY_ORDERS: Final = "too_many_orders"
PRICE_COLLAR: Final = "price_collar"
POST_ONLY_MODE: Final = "post_only_mode"
LIMIT_ONLY: Final = "limit_only"
CANCEL_ONLY: Final = "cancel_only"
HALTED: Final = "halted"
AUCTION: Final = "auction"
BAD_AMEND: Final = "bad_amend"
BAD_AMOUNT: Final = "bad_amount"
WRONG_SHARD: Final = "wrong_shard"
GRID_CHANGED: Final = "grid_changed"
BAD_UNTIL: Final = "bad_until"
BAD_REFERENCE: Final = "bad_reference"

MEANING: Final[dict[str, str]] = {
    # orders
    UNKNOWN_PRODUCT: "this shard has no such market",
    DEADLINE: "the order reached the matcher after the time at which it had to be there, or that time fits no 63 bits",
    BAD_PRICE: "a limit order needs a price from one tick to the product's largest; so does a worst price",
    BAD_SIZE: "an order needs a size, or funds instead of it",
    SIZE_TOO_SMALL: "fewer lots than the product allows",
    SIZE_TOO_LARGE: "more lots than the product allows",
    BAD_FUNDS: "funds are positive, for market buys only, and instead of a size",
    UNBOUNDED: "a market buy by size needs a worst price: nothing else bounds what it costs",
    BAD_TIME_IN_FORCE: "post_only is for limit orders that may rest, FOK for orders with a size",
    BAD_EXPIRY: "GTT needs a time to expire that is still to come, and nothing else may have one",
    BAD_STOP: "stop and stop_price go together, and neither with post_only nor with FOK",
    BAD_DISPLAY: "display_size is for limit orders that may rest: from the product's smallest size to the order's, and "
    "at least a hundredth of it",
    BAD_RATE: "a fee rate is above -100% and at most 100%",
    TOO_LARGE: "the order's value does not fit 63 bits of minor units",
    INSUFFICIENT_HOLD: "what was held is less than what the order may cost",
    POST_ONLY: "a post-only order would have traded at once",
    FOK: "the book could not fill the whole order at once",
    NOTIONAL_TOO_SMALL: "the order is for less money than the product allows",
    TOO_MANY_ORDERS: "the account has as many open orders of this product as it may have",
    PRICE_COLLAR: "the limit is further from the reference price than the product allows",
    POST_ONLY_MODE: "the market takes post-only orders alone now",
    LIMIT_ONLY: "the market takes limit orders alone now",
    CANCEL_ONLY: "the market takes cancels alone now",
    HALTED: "the market is halted: neither orders nor cancels",
    AUCTION: "an auction gathers limit orders that may rest and that do not insist on being makers",
    # amends
    BAD_AMEND: "an amend names a price or a size of a limit order",
    # cancels
    NOT_FOUND: "the account has no such order, or it was done too long ago to be known",
    ORDER_DONE: "the order is done: filled, cancelled or refused",
    # deposits, listings and states
    BAD_AMOUNT: "an amount is positive, and all that ever came in of an asset fits 63 bits",
    WRONG_SHARD: "the product belongs to another shard",
    BAD_UNTIL: "only a halt and an auction have an end, and it is still to come",
    BAD_REFERENCE: "a reference price is from one tick to the product's largest",
    GRID_CHANGED: "a listed product keeps its assets, tick and lot: orders and trades are counted in them",
}
