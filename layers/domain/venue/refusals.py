"""Why the venue refuses, in words for clients: a code is stable, its words are not."""

from typing import Final

from venue.errors import Conflict, RuleBroken

_WORDS: Final = {
    "post_only": "a post-only order would have traded at once",
    "fok": "the order could not be filled whole at once",
    "deadline": "it reached the matcher too late",
    "bad_expiry": "cancel_after is over already",
    "bad_display_size": "display_size is at most the size of the order, and at least a hundredth of it",
    "notional_too_small": "the order is for less money than the product allows",
    "too_many_orders": "the account has as many open orders of this product as it may have",
    "price_collar": "the price is further from the reference price than the product allows",
    "post_only_mode": "the market takes post-only orders alone now",
    "limit_only": "the market takes limit orders alone now",
    "cancel_only": "the market takes cancels alone now",
    "halted": "the market is halted",
    "auction": "an auction gathers limit orders that may rest, and none that is post-only",
    "order_done": "Order already done",
    "bad_amend": "only the price and the size of a limit order can be amended",
    "insufficient_hold": "the order changed meanwhile, so that too little was held; the amend may be tried anew",
    "grid_changed": "a listed product keeps its currencies and increments",
    "wrong_shard": "the market is on another shard, or nobody owns that shard",
    "bad_until": "only a halt and an auction have an end, and it is still to come",
    "bad_reference": "a reference price is from one tick to the product's largest",
}


def refusal(reason: str) -> RuleBroken:
    """Give the error for a reason of the matcher."""
    return RuleBroken(_WORDS.get(reason, reason.replace("_", " ")), code=reason)


def conflict(field: str, thing: str) -> Conflict:
    """Give the error for an id that names something else already."""
    return Conflict(f"{field}: was used before for {thing} with other content")
