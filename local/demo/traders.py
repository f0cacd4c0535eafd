"""The eight accounts of the demo: opened, funded by the operator, and with no order left from an earlier run."""

from uuid import UUID

import httpx
import msgspec

from local.demo.drive import Patience
from local.demo.failures import Refused
from venue.products import Product

# What the operator deposits for each trader and run: enough for every order of the flow to rest at the same time.
BASE_FUNDS = "100000"
QUOTE_FUNDS = "10000000"


class Account(msgspec.Struct, frozen=True):
    """A trader: the name at Cognito, the account (its `sub`), and a bearer token."""

    name: str
    id: str
    token: str


async def fund(url: str, account: Account, *, operator: str, product: Product, run: UUID) -> None:
    """Deposit both assets of the product for an account, once for this run. Raises Refused."""
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
        for asset, amount in ((product.base.id, BASE_FUNDS), (product.quote.id, QUOTE_FUNDS)):
            key = f"{run}-{account.name}-{asset}"
            body = {"key": key, "account_id": account.id, "currency": asset, "amount": amount}
            await _ask(http, "POST", "/deposits", token=operator, body=body)


async def cancel_all(url: str, account: Account, *, product: Product) -> None:
    """Take whatever an account's earlier run left in the book out of it. Raises Refused."""
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
        await _ask(http, "DELETE", f"/orders?product_id={product.id}", token=account.token)


async def _ask(http: httpx.AsyncClient, method: str, path: str, *, token: str, body: object = None) -> None:
    patience = Patience(f"{method} {path}")
    while True:
        try:
            answer = await http.request(method, path, headers={"Authorization": f"Bearer {token}"}, json=body)
        except httpx.TransportError as error:
            await patience.pause(repr(error))
            continue
        if answer.is_success:
            return
        said = f"{answer.status_code} {answer.text[:300]}"
        if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and answer.status_code != 429:
            raise Refused(f"{method} {path}: {said}")
        await patience.pause(said)
