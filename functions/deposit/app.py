"""POST /deposits: an operator brings money in. The cashier does the work."""

from collections.abc import Callable

from aws_lambda_powertools.event_handler import Response

from venue.cashier import Cashier
from venue_aws import wiring
from venue_aws.answers import DepositView
from venue_aws.api import Api, answered, caller, count, require_group
from venue_aws.requests import NewDeposit


def build(cashier: Callable[[], Cashier]) -> Api:
    """Make the handler over a cashier, which is made when the first deposit comes."""
    api = Api()

    @api.app.post("/deposits", tags=["deposits"], summary="Credit an account; operators only")
    def deposit(deposit: NewDeposit) -> Response[DepositView]:
        event = api.app.current_event
        caller(event)
        require_group(event, "operators")
        credited = cashier().deposit(
            key=deposit.key, account=deposit.account_id, asset_id=deposit.currency, amount=deposit.amount
        )
        count("Deposits")
        return answered(DepositView.of(credited), pending=credited.pending)

    return api


handler = build(wiring.early(wiring.cashier))
