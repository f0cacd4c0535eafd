"""The callers: the real order desk and cashier in Lambda instances that may be killed, and clients who try again."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from tests.simulation.auditor import Auditor
from tests.simulation.cache import Redis, SharedCache
from tests.simulation.database import Database
from tests.simulation.fleet import Fleet
from tests.simulation.http import Http, shard_in
from tests.simulation.loop import Loop, blocking
from tests.simulation.plan import Action, Amend, Arm, Cancel, CancelAll, Deposit, Place, PlaceAll, SetStatus
from tests.simulation.process import Gone, Process
from tests.simulation.queue import Fifo, Sqs
from tests.simulation.settler import JournalReads
from tests.simulation.trouble import Trouble
from tests.simulation.wallets import Holds, Table
from venue.amends import AmendDesk, Change
from venue.cashier import Cashier
from venue.commands import AnyCommand, PlaceOrder
from venue.desk import OrderDesk
from venue.errors import VenueError
from venue.handover import HandOver
from venue.identity import order_id_of
from venue.orders import Fill, Order
from venue.supervisor import Supervisor
from venue.wire import Outcome
from venue_aws.markets import Markets
from venue_aws.queues import OrderQueue, QueueRoad

# How often somebody asks who does not say it himself: operators are patient.
_TRIES = {Deposit: 30, SetStatus: 10}


class Parts:
    """What a Lambda of the order road works with, in one process."""

    def __init__(self, callers: "Callers", process: Process) -> None:
        loop, trouble = callers.loop, callers.trouble
        sqs: Any = Sqs(process, [callers.orders], trouble)
        cache: Any = SharedCache(process, callers.redis, trouble)
        self.records = Records(process, callers.database, trouble)
        self.markets = Markets(cache=cache, records=lambda: self.records, monotonic_s=loop.time)
        self.holds = Holds(process, callers.table, trouble)
        self.handover = HandOver(
            markets=self.markets,
            matcher=Watched(Http(process, callers.fleet, loop, trouble), callers.auditor, loop.time),
            queue=Noted(QueueRoad(lambda: OrderQueue(sqs, callers.orders.name)), callers.auditor, process, trouble),
        )


class Instance:
    """One Lambda instance with every desk: one call at a time."""

    def __init__(self, callers: "Callers", number: int) -> None:
        self.table = callers.table
        process = self.process = Process(f"desk-{number}", callers.loop.time)
        parts = Parts(callers, process)
        desk: dict[str, Any] = {
            "markets": parts.markets,
            "wallets": parts.holds,
            "handover": parts.handover,
            "orders": lambda: parts.records,
            "clock": process.clock,
            "new_id": lambda: "",
        }
        self.desk = OrderDesk(**desk)
        self.amends = AmendDesk(**desk)
        self.cashier = Cashier(
            markets=parts.markets, transfers=parts.holds, handover=parts.handover, clock=process.clock
        )
        self.supervisor = Supervisor(markets=parts.markets, handover=parts.handover)

    def do(self, action: Action, order_id: str | None) -> None:
        """Carry one request out; what comes of it, the auditor has heard."""
        match action:
            case Deposit():
                self.cashier.deposit(
                    key=f"deposit-{action.number}", account=action.account, asset_id=action.asset, amount=action.amount
                )
            case Place():
                self.desk.place(action.ticket, account=action.account, wait=action.waits)
            case PlaceAll():
                self._place_all(action)
            case Amend():
                assert order_id is not None
                change = Change(price=action.price, size=action.size, amend_id=f"amend-{action.number}")
                self.amends.amend(change, order_id=order_id, account=action.account, wait=action.waits)
            case Cancel():
                assert order_id is not None
                self.desk.cancel(order_id, account=action.account, wait=action.waits)
            case CancelAll():
                self.desk.cancel_all(account=action.account, product_id=action.product_id, wait=action.waits)
            case Arm():
                self.desk.cancel_all_after(action.timeout_s, account=action.account)
            case SetStatus():
                until = None if action.for_s is None else self.process.clock() + round(action.for_s * 1_000_000)
                self.supervisor.set_status(action.product_id, action.status, until=until, reference=action.reference)

    def _place_all(self, action: PlaceAll) -> None:
        answers = self.desk.place_all(action.tickets, account=action.account, wait=action.waits)
        for answer in answers:
            if isinstance(answer, VenueError) and answer.retryable:
                raise answer


class Callers:
    """All who ask something of the venue."""

    def __init__(
        self,
        loop: Loop,
        *,
        database: Database,
        redis: Redis,
        table: Table,
        orders: Fifo,
        fleet: Fleet,
        trouble: Trouble,
        auditor: Auditor,
    ) -> None:
        self.loop = loop
        self.database = database
        self.redis = redis
        self.table = table
        self.orders = orders
        self.fleet = fleet
        self.trouble = trouble
        self.auditor = auditor
        self._idle: list[Instance] = []
        self._count = 0
        self._placed: dict[int, str] = {}

    async def act(self, action: Action) -> None:
        """Ask, and ask again when the venue cannot say, as often as this client does."""
        order_id = None
        if isinstance(action, Place) and action.ticket.client_oid is not None:
            self._placed[action.number] = order_id_of(action.account, action.ticket.client_oid)
        if isinstance(action, Cancel | Amend):
            order_id = self._placed.get(action.of)
            if order_id is None:
                return
        for _ in range(_TRIES.get(type(action), 2) if not isinstance(action, Place) else action.tries):
            if not await self._call(action, order_id):
                return
            await asyncio.sleep(self.trouble.between(0.3, 1.5))

    async def _call(self, action: Action, order_id: str | None) -> bool:
        """One request; whether it is worth another try."""
        if not self._idle:
            self._count += 1
            self._idle.append(Instance(self, self._count))
        instance = self._idle.pop()
        task = self.loop.create_task(blocking(instance.do, action, order_id), context=instance.process.context)
        try:
            await task
        except VenueError as error:
            again = error.retryable
        except (Gone, asyncio.CancelledError):
            if instance.process.alive:
                raise
            return True
        else:
            again = False
        self._idle.append(instance)
        return again


class Records(JournalReads):
    """What the desk reads in the journal: venue.ports.Orders."""

    def order(self, order_id: str, *, account: str) -> Order | None:
        """See venue_aws.records."""
        self.ask()
        found = self._database.tables.orders.get(order_id)
        return found if found is not None and found.account == account else None

    def fills_of(self, order_id: str, *, account: str) -> list[Fill]:
        """Fills are not what the simulation looks at."""
        del order_id, account
        self.ask()
        return []


class Watched:
    """The way to the matchers, with the auditor beside it, who hears every answer."""

    def __init__(self, http: Http, auditor: Auditor, time: Callable[[], float]) -> None:
        self._http = http
        self._auditor = auditor
        self._time = time

    def submit_all(self, commands: Sequence[AnyCommand], *, url: str) -> list[Outcome]:
        """See venue.ports.Matcher."""
        asked_at = self._offer(commands)
        outcomes = self._http.submit_all(commands, url=url)
        for command, outcome in zip(commands, outcomes, strict=True):
            self._auditor.answered(command, outcome, shard=shard_in(url), asked_at=asked_at)
        return outcomes

    def submit(self, command: AnyCommand, *, url: str) -> Outcome:
        """See venue.ports.Matcher."""
        asked_at = self._offer([command])
        outcome = self._http.submit(command, url=url)
        self._auditor.answered(command, outcome, shard=shard_in(url), asked_at=asked_at)
        return outcome

    def _offer(self, commands: Sequence[AnyCommand]) -> float:
        for command in commands:
            self._auditor.roads.offered(command)
        return self._time()


class Noted:
    """The order queue, with the auditor beside it, who notes what was promised to be done later."""

    def __init__(self, road: QueueRoad, auditor: Auditor, process: Process, trouble: Trouble) -> None:
        self._road = road
        self._auditor = auditor
        self._process = process
        self._trouble = trouble

    def put(self, command: AnyCommand, *, shard: int) -> None:
        """See venue.ports.OrderQueue."""
        if isinstance(command, PlaceOrder) and self._trouble.takes("caller_killed"):
            self._process.kill()
            self._process.check()
        self._road.put(command, shard=shard)
        self._auditor.queued(command)
