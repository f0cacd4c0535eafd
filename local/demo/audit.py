"""Does everything agree? Each check compares what two or more parts of the venue say, and can fail. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from local.demo.book import Levels
from local.demo.evidence import Balances, Evidence, PrivateFill, Span, Trade


class Check(msgspec.Struct, frozen=True):
    """One question to the venue: `finding` says what was counted, or what is wrong and where."""

    question: str
    passed: bool
    finding: str


def audit(seen: Evidence) -> list[Check]:
    """Ask every question of one run. The venue is right when all checks passed."""
    return [
        acknowledged_orders_are_committed(seen.acknowledged, seen.journal_orders),
        sessions_lasted(seen.lost),
        trades_agree("WebSocket", seen.journal, seen.websocket, repeats_allowed=True),
        trades_agree("tape", seen.journal, seen.tape, repeats_allowed=False),
        ticker_ends_at_the_last_trade(seen.ticker, seen.journal),
        fills_reach_their_owners(seen.journal_fills, seen.websocket_fills),
        gapless("journal", seen.journal_sequences, seen.span),
        gapless("full channel", seen.stream_sequences, seen.span),
        gapless("tape", seen.tape_sequences, seen.span),
        wallets_equal_ledger(seen.wallets, seen.ledger),
        owners_know_their_wallets(seen.told, seen.wallets),
        assets_sum_to_zero("ledger", seen.ledger),
        assets_sum_to_zero("wallets", seen.wallets),
        no_wallet_is_overdrawn(seen.wallets),
        books_agree("level 2, rebuilt by a client", seen.rebuilt, seen.shown),
        books_agree("open orders in the journal", seen.resting, seen.shown),
    ]


def acknowledged_orders_are_committed(acknowledged: Sequence[str], journal: Sequence[str]) -> Check:
    """Acknowledged means committed, and nothing is committed that nobody sent."""
    question = "Every acknowledged order is in the journal"
    lost, unknown = set(acknowledged) - set(journal), set(journal) - set(acknowledged)
    if lost:
        return Check(question, passed=False, finding=f"{len(lost)} lost, first {min(lost)}")
    if unknown:
        return Check(question, passed=False, finding=f"{len(unknown)} that REST never answered, first {min(unknown)}")
    return Check(question, passed=True, finding=f"{len(set(journal)):,} orders")


def sessions_lasted(lost: Sequence[str]) -> Check:
    """No listener was dropped: what a dropped one missed, it would have to ask for again."""
    question = "Every WebSocket session lasted"
    return Check(question, passed=not lost, finding="; ".join(lost) or "none was closed")


def trades_agree(witness: str, journal: Sequence[Trade], other: Sequence[Trade], *, repeats_allowed: bool) -> Check:
    """The witness tells the journal's trades: none missing, none of its own, none told otherwise.

    A message may be delivered to a client twice, an object in the archive may not hold a trade twice.
    """
    question = f"Trades by {witness} are the trades in Aurora"
    wrong = _differences(Counter(journal), Counter(other), repeats_allowed=repeats_allowed)
    if wrong:
        return Check(question, passed=False, finding=wrong)
    repeats = len(other) - len(set(other))
    return Check(question, passed=True, finding=f"{len(journal):,} trades" + (f", {repeats} repeated" * bool(repeats)))


def _differences(expected: Counter[Trade], told: Counter[Trade], *, repeats_allowed: bool) -> str:
    missing = sorted(expected.keys() - told.keys())
    foreign = sorted(told.keys() - expected.keys())
    doubled = sorted(trade for trade, times in told.items() if times > 1 and not repeats_allowed)
    found = (("missing", missing), ("not in Aurora", foreign), ("told twice", doubled))
    return "; ".join(f"{len(trades)} {what}, first: trade {trades[0].trade_id}" for what, trades in found if trades)


def ticker_ends_at_the_last_trade(ticker: Sequence[int], journal: Sequence[Trade]) -> Check:
    """The ticker may skip trades, for it is conflated; the last word of a run is the run's last trade."""
    question = "The ticker's last word is the last trade"
    last, told = max((trade.trade_id for trade in journal), default=None), ticker[-1] if ticker else None
    if last is not None and told != last:
        return Check(question, passed=False, finding=f"it says {told}, the last trade is {last}")
    return Check(question, passed=True, finding=f"{len(ticker):,} messages")


def fills_reach_their_owners(journal: Sequence[PrivateFill], heard: Sequence[PrivateFill]) -> Check:
    """Both sides of each trade reached the account they belong to, and no other account."""
    question = "Both sides of every trade reached their owners, and nobody else"
    missing, foreign = set(journal) - set(heard), set(heard) - set(journal)
    if missing:
        fill = min(missing)
        finding = f"{len(missing)} not delivered, first: trade {fill.trade_id} to {fill.account}"
        return Check(question, passed=False, finding=finding)
    if foreign:
        fill = min(foreign)
        finding = f"{len(foreign)} delivered wrongly, first: trade {fill.trade_id} to {fill.account}"
        return Check(question, passed=False, finding=finding)
    return Check(question, passed=True, finding=f"{len(set(journal)):,} fills")


def gapless(witness: str, sequences: Iterable[int], span: Span) -> Check:
    """The witness holds every product sequence of the run; order of arrival and repeats are its own affair."""
    question = f"The product's sequence has no gap on the {witness}"
    seen = {number for number in sequences if span.first < number <= span.last}
    gaps = [number for number in range(span.first + 1, span.last + 1) if number not in seen]
    if gaps:
        return Check(question, passed=False, finding=f"{len(gaps)} missing, first {gaps[0]:,}")
    return Check(question, passed=True, finding=f"{span.first + 1:,} to {span.last:,}")


def wallets_equal_ledger(wallets: Balances, ledger: Balances) -> Check:
    """Free and held of each wallet are the sums of its postings, to the last minor unit."""
    question = "Every wallet, free and held, is the sum of its ledger"
    for account, asset in sorted(wallets.keys() | ledger.keys()):
        wallet, posted = wallets.get((account, asset), (0, 0)), ledger.get((account, asset), (0, 0))
        if wallet != posted:
            finding = (
                f"{account} {asset}: wallet {wallet[0]:,} free {wallet[1]:,} held, ledger {posted[0]:,} {posted[1]:,}"
            )
            return Check(question, passed=False, finding=finding)
    return Check(question, passed=True, finding=f"{len(wallets):,} wallets")


def owners_know_their_wallets(told: Balances, wallets: Balances) -> Check:
    """The last balance that an account's own channel told is what its wallet holds."""
    question = "The last balance that each trader heard is the wallet's"
    for account, asset in sorted(told):
        heard, wallet = told[account, asset], wallets.get((account, asset), (0, 0))
        if heard != wallet:
            finding = (
                f"{account} {asset}: heard {heard[0]:,} free {heard[1]:,} held, wallet {wallet[0]:,} {wallet[1]:,}"
            )
            return Check(question, passed=False, finding=finding)
    return Check(question, passed=True, finding=f"{len(told):,} balances")


def imbalance(balances: Balances) -> dict[str, int]:
    """Give per asset what all accounts together hold, free and held, in minor units: all zero when right."""
    sums: dict[str, int] = {}
    for (_, asset), (free, held) in balances.items():
        sums[asset] = sums.get(asset, 0) + free + held
    return sums


def assets_sum_to_zero(witness: str, balances: Balances) -> Check:
    """Nothing was made and nothing was lost: what users have, the outside world and the fee account owe."""
    question = f"Every asset sums to zero in the {witness}"
    sums = imbalance(balances)
    wrong = [f"{asset} is off by {total:,} minor units" for asset, total in sorted(sums.items()) if total]
    return Check(question, passed=not wrong, finding="; ".join(wrong) or ", ".join(sorted(sums)))


def no_wallet_is_overdrawn(wallets: Balances) -> Check:
    """No user owes the venue: only its own account for the outside world may run negative."""
    question = "No trader's wallet is below zero"
    users = {of: amounts for of, amounts in wallets.items() if not of[0].startswith("venue:")}
    below = [f"{account} {asset}" for (account, asset), amounts in sorted(users.items()) if min(amounts) < 0]
    return Check(question, passed=not below, finding=", ".join(below) or f"{len(users):,} wallets")


def books_agree(witness: str, told: tuple[Levels, Levels], shown: tuple[Levels, Levels]) -> Check:
    """The witness and the book by REST have the same size at the same prices, on both sides."""
    question = f"The book by REST equals {witness}"
    for side, here, there in (("bid", told[0], shown[0]), ("ask", told[1], shown[1])):
        for price in sorted(here.keys() | there.keys(), key=float):
            if here.get(price) != there.get(price):
                finding = f"{side} {price}: {here.get(price, 'nothing')}, by REST {there.get(price, 'nothing')}"
                return Check(question, passed=False, finding=finding)
    return Check(question, passed=True, finding=f"{len(shown[0])} bids, {len(shown[1])} asks")
