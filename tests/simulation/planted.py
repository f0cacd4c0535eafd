"""All bugs that are planted, one at a time, to see that the simulation finds them."""

from typing import Final

from tests.simulation.bugs.owner import OWNER
from tests.simulation.bugs.postings import POSTINGS
from tests.simulation.bugs.reconciling import RECONCILING
from tests.simulation.bugs.roads import ROADS
from tests.simulation.bugs.wallets import WALLETS

BUGS: Final = [*OWNER, *POSTINGS, *ROADS, *WALLETS, *RECONCILING]
