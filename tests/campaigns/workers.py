"""The processes over which a campaign spreads its seeds."""

import os
import signal
from concurrent.futures import ProcessPoolExecutor


def workers(jobs: int | None) -> ProcessPoolExecutor:
    """So many processes, one a core where nobody says. SIGTERM ends each at once: it has nothing to put in order.

    What their parent does instead, to exit, is lost where the signal meets a destructor, and they would go on.
    """
    return ProcessPoolExecutor(
        jobs or os.cpu_count() or 1, initializer=signal.signal, initargs=(signal.SIGTERM, signal.SIG_DFL)
    )
