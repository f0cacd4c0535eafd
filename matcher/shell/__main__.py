"""python -m matcher.shell: read the environment, put the parts together, serve until SIGTERM."""

import asyncio
import gc
import logging
import os
import signal
import sys

import uvloop

from matcher.shell import access, wiring
from matcher.shell import log as logs
from matcher.shell.catalogue import BadCatalogue, load
from matcher.shell.child import write_checkpoint
from matcher.shell.intake import Intake, application
from matcher.shell.poller import WAIT_S
from matcher.shell.server import http_server
from matcher.shell.service import Matcher
from matcher.shell.tenure import Parts
from venue_aws import queues

log = logging.getLogger("matcher")


def parts(settings: wiring.Settings) -> Parts:
    """Connect what is configured, and say what is off. Raises BadCatalogue."""
    missing = {
        "ORDER_QUEUE_URL": settings.order_queue_url,
        "EVENTS_QUEUE_URL": settings.events_queue_url,
        "REDIS_SECRET_ARN": settings.redis,
    }
    for name in (name for name, value in missing.items() if value is None):
        log.warning("part_is_off", extra={"unset": name})
    orders, events, region = settings.order_queue_url, settings.events_queue_url, settings.region
    return Parts(
        products=load(settings.catalogue, shards=settings.shards),
        orders=queues.OrderQueue(queues.connect(wait_s_max=WAIT_S, region=region), orders) if orders else None,
        put_batch=queues.EventsQueue(queues.connect(region=region), events).put if events else None,
        cache=access.cache(settings),
        write_checkpoint=write_checkpoint,
        checkpoint_commands=settings.checkpoint_commands,
    )


async def serve(settings: wiring.Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    matcher = Matcher(
        parts(settings),
        access.journal(settings),
        address=settings.advertised_url,
        lease_s=settings.lease_s,
        shards=settings.shards,
        shards_max=settings.shards_max,
    )
    shortcut = Intake(matcher.sequencer)
    server = http_server(application(matcher), shortcut=shortcut, host=settings.host, port=settings.port)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, matcher.stop)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.serve())
        try:
            await matcher.run()
        finally:
            server.should_exit = True


def main() -> int:
    """Run the matcher; 0 after a clean stop, 1 when it must not serve, 2 when it is told nonsense."""
    try:
        settings = wiring.read(os.environ)
        logs.configure(settings.log_level)
        # Almost nothing here is cyclic garbage. Often and little stops the orders for a millisecond or two; a full
        # collection, which walks through all books, for as long as a lease has to be renewed.
        gc.set_threshold(5_000, 3, 1_000_000)
        uvloop.run(serve(settings))
    except (wiring.BadSettings, BadCatalogue) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Exception:
        log.critical("must_not_serve", exc_info=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
