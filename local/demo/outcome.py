"""What a run came to: the witnesses' evidence, audited, and all figures for the summary and the report."""

import time
from collections.abc import Mapping, Sequence

from local.demo import heard
from local.demo.audit import audit, imbalance
from local.demo.evidence import Balances, Evidence, Span
from local.demo.figures import Print, Run, Trader
from local.demo.run import Played
from local.demo.traders import Account
from local.demo.witnesses import Deal, Witnesses
from venue.money import format_units
from venue.products import Product


def evidence(
    played: Played, deals: Sequence[Deal], *, witnesses: Witnesses, accounts: Sequence[Account], product: Product
) -> Evidence:
    """Ask every witness about this run; wallets and ledger about all that ever was."""
    journal, baseline, ears, driver = witnesses.journal, played.baseline, played.ears, played.driver
    sequences = journal.sequences(product, after_batch=baseline.batch)
    rebuilt, _ = heard.rebuild(ears.level2.heard)
    users = list(zip(accounts, ears.users, strict=True))
    ours = {account.id for account in accounts}  # someone else may trade here at the same time
    told: dict[tuple[str, str], tuple[int, int]] = {}
    for account, ear in users:
        told |= heard.balances(ear.heard, account.id, product)
    names = {account.id: account.name for account in accounts}
    return Evidence(
        span=Span(min(sequences, default=1) - 1, max(sequences, default=0)),
        journal=[deal.trade for deal in deals],
        websocket=heard.trades(ears.matches.heard, product),
        tape=witnesses.tape_trades(product, baseline),
        ticker=heard.tickers(ears.ticker.heard),
        journal_fills=[fill for deal in deals for fill in deal.fills if fill.account in ours],
        websocket_fills=[fill for account, ear in users for fill in heard.fills(ear.heard, account.id)],
        journal_sequences=sequences,
        stream_sequences=heard.sequences(ears.full.heard),
        tape_sequences=witnesses.tape_sequences(product, baseline),
        acknowledged=[placed.order_id for placed in driver.placed],
        journal_orders=journal.orders(driver.client_oids),
        wallets=_named(witnesses.wallets.balances(), names),
        ledger=_named(journal.ledger(), names),
        told=_named(told, names),
        lost=[f"{ear.name}: {ear.lost}" for ear in ears.all if ear.lost],
        rebuilt=(rebuilt.bids, rebuilt.asks),
        shown=(played.shown.bids, played.shown.asks),
        resting=journal.resting(product),
    )


def outcome(
    played: Played,
    *,
    witnesses: Witnesses,
    accounts: Sequence[Account],
    product: Product,
    messages: int,
    clients: int,
    up_s: float,
    begun: float,
) -> Run:
    """Compare the evidence and put all figures together. `begun`: when the demo's own part did, monotonic seconds."""
    driver, ears = played.driver, played.ears
    deals = witnesses.journal.deals(product, after_trade=played.baseline.trade)
    seen = evidence(played, deals, witnesses=witnesses, accounts=accounts, product=product)
    _, changes = heard.rebuild(ears.level2.heard)
    return Run(
        product_id=product.id,
        base=product.base.id,
        quote=product.quote.id,
        started=played.started,
        up_s=up_s,
        flow_s=played.flow_s,
        drain_s=played.drain_s,
        own_s=time.monotonic() - begun,
        messages=messages,
        clients=clients,
        orders_sent=driver.orders_sent,
        orders_acknowledged=len(driver.placed),
        orders_pending=driver.orders_pending,
        refused=dict(driver.orders_refused),
        cancels_sent=driver.cancels_sent,
        cancels_refused=dict(driver.cancels_refused),
        modifies_void=driver.modifies_void,
        trades_journal=len(seen.journal),
        trades_websocket=len(set(seen.websocket)),
        trades_tape=len(seen.tape),
        ledger_imbalance=sum(abs(total) for total in imbalance(seen.ledger).values()),
        checks=audit(seen),
        calls=driver.calls,
        owner_delays=[delay for ear in ears.users for delay in heard.delays(ear.heard)],
        public_delays=heard.delays(ears.matches.heard),
        prints=[_print(deal, product) for deal in deals],
        changes=changes,
        bids=played.shown.bids,
        asks=played.shown.asks,
        traders=[
            _trader(number, account, played, deals, seen.wallets, product) for number, account in enumerate(accounts)
        ],
        websocket_messages=sum(len(ear.heard) for ear in ears.all),
        tape_objects=witnesses.tape.objects,
    )


def _named(balances: Balances, names: Mapping[str, str]) -> Balances:
    """Call accounts by their traders' names, for a person to read; others keep their ids."""
    return {(names.get(account, account), asset): amounts for (account, asset), amounts in balances.items()}


def _print(deal: Deal, product: Product) -> Print:
    trade = deal.trade
    price, size = float(product.format_price(trade.price)), float(product.format_size(trade.size))
    return Print(deal.at / 1e6, price, size, bought=not deal.maker_bought)


def _trader(
    number: int, account: Account, played: Played, deals: Sequence[Deal], wallets: Balances, product: Product
) -> Trader:
    bought = sold = fees = fills = 0
    for deal in deals:
        for mine, buys, fee in (
            (deal.maker_account, deal.maker_bought, deal.maker_fee),
            (deal.taker_account, not deal.maker_bought, deal.taker_fee),
        ):
            if mine == account.id:
                fills += 1
                fees += fee
                bought += deal.trade.size * buys
                sold += deal.trade.size * (not buys)
    base, quote = (sum(wallets.get((account.name, asset.id), (0, 0))) for asset in (product.base, product.quote))
    return Trader(
        name=account.name,
        orders=sum(placed.account == number for placed in played.driver.placed),
        fills=fills,
        bought=grouped(product.format_size(bought)),
        sold=grouped(product.format_size(sold)),
        fees=grouped(format_units(fees, product.quote.scale), decimals=2),
        base=grouped(format_units(base, product.base.scale)),
        quote=grouped(format_units(quote, product.quote.scale), decimals=2),
    )


def grouped(amount: str, *, decimals: int | None = None) -> str:
    """Group the thousands of a decimal, and cut it (never round) after so many decimals."""
    whole, _, fraction = amount.partition(".")
    fraction = fraction[:decimals]
    return f"{int(whole):,}{f'.{fraction}' if fraction else ''}"
