"""The callers: the real order desk and cashier in Lambda instances that may be killed, and clients who try again."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from tests.simulation.auditor import Auditor
from tests.simulation.cache import Redis, SharedCache
from tests.simulation.database import Database
from tests.simulation.fleet import Fleet, Http
from tests.simulation.loop import Loop, blocking
from tests.simulation.plan import Action, Cancel, CancelAll, Deposit, Place
from tests.simulation.process import Gone, Process
from tests.simulation.queue import Fifo, Sqs
from tests.simulation.settler import JournalReads
from tests.simulation.trouble import Trouble
from tests.simulation.wallets import Holds, Table
from venue.cashier import Cashier
from venue.commands import AnyCommand, PlaceOrder
from venue.desk import OrderDesk
from venue.errors import VenueError
from venue.handover import HandOver
from venue.identity import order_id_of
from venue.orders import Fill, Order
from venue.wire import Outcome
from venue_aws.markets import Markets
from venue_aws.queues import OrderQueue, QueueRoad

# An operator's patience with a deposit.
DEPOSIT_TRIES = 30


class Instance:
    """One Lambda instance with a desk and a cashier: one call at a time."""

    def __init__(self, callers: "Callers", number: int) -> None:
        loop, trouble = callers.loop, callers.trouble
        self.table = callers.table
        process = self.process = Process(f"desk-{number}", loop.time)
        sqs: Any = Sqs(process, [callers.orders], trouble)
        records = Records(process, callers.database, trouble)
        cache: Any = SharedCache(process, callers.redis, trouble)
        markets = Markets(cache=cache, records=lambda: records, monotonic_s=loop.time)
        holds = Holds(process, callers.table, trouble)
        handover = HandOver(
            markets=markets,
            matcher=Watched(Http(process, callers.fleet, loop, trouble), callers.auditor, loop.time),
            queue=Noted(QueueRoad(lambda: OrderQueue(sqs, callers.orders.name)), callers.auditor, process, trouble),
        )
        self.desk = OrderDesk(
            markets=markets,
            wallets=holds,
            handover=handover,
            orders=lambda: records,
            clock=process.clock,
            new_id=lambda: "",
        )
        self.cashier = Cashier(markets=markets, transfers=holds, handover=handover, clock=process.clock)

    def do(self, action: Action, order_id: str | None) -> None:
        """Carry one request out; what comes of it, the auditor has heard."""
        match action:
            case Deposit():
                self.cashier.deposit(
                    key=f"deposit-{action.number}", account=action.account, asset_id=action.asset, amount=action.amount
                )
            case Place():
                self.desk.place(action.ticket, account=action.account, wait=action.waits)
            case Cancel():
                assert order_id is not None
                self.desk.cancel(order_id, account=action.account, wait=action.waits)
            case CancelAll():
                self.desk.cancel_all(account=action.account, wait=action.waits)


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
        if isinstance(action, Cancel):
            order_id = self._placed.get(action.of)
            if order_id is None:
                return
        tries = DEPOSIT_TRIES if isinstance(action, Deposit) else action.tries if isinstance(action, Place) else 2
        for _ in range(tries):
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
        found = self._database.orders.get(order_id)
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
        return [self.submit(command, url=url) for command in commands]

    def submit(self, command: AnyCommand, *, url: str) -> Outcome:
        """See venue.ports.Matcher."""
        asked_at = self._time()
        outcome = self._http.submit(command, url=url)
        self._auditor.answered(command, outcome, asked_at=asked_at)
        return outcome


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
