"""What is asked of the venue: a peak rate, a month's requests, and what they are."""

import msgspec

MONTH_S = 730 * 3600
# The conventional sizing's own: 300 million requests a month for a peak of 500 a second.
REQUESTS_PER_PEAK = 600_000


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """`peak`: client requests a second. `requests`: millions a month. Shares are of all requests.

    orders, cancels, public: shares of new orders, of cancels, and of public market data reads; the rest reads what is
    private. cached: the share of public reads that the edge answers. fills: trades an order takes part in, halved: a
    trade has two. clients: WebSocket sessions; market_pushes: conflated messages a second to each of them.
    """

    peak: float
    requests: float
    orders: float = 0.30
    cancels: float = 0.25
    public: float = 0.30
    cached: float = 0.90
    fills: float = 0.30
    clients: float
    market_pushes: float = 0.5

    @classmethod
    def of_peak(cls, peak: float, **changed: float) -> "Traffic":
        """The default mix at this peak, with what the caller knows better."""
        given = {"requests": peak * REQUESTS_PER_PEAK / 1e6, "clients": max(10.0, peak / 5)} | changed
        return cls(peak=peak, **given)

    def __post_init__(self) -> None:
        if self.peak <= 0 or self.requests <= 0:
            raise ValueError("a peak and a month's requests are above zero")
        for name in ("orders", "cancels", "public", "cached"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share, from 0 to 1")
        if self.orders + self.cancels + self.public > 1:
            raise ValueError("orders, cancels and public reads are more than all requests")
        if self.requests * 1e6 > self.peak * MONTH_S:
            raise ValueError("a month has more requests than its peak rate, held all the time, would give")

    @property
    def commands_peak(self) -> float:
        """Orders and cancels a second."""
        return self.peak * (self.orders + self.cancels)

    @property
    def placed(self) -> float:
        """Orders, millions a month."""
        return self.requests * self.orders

    @property
    def commands(self) -> float:
        """Orders and cancels, millions a month."""
        return self.requests * (self.orders + self.cancels)

    @property
    def trades(self) -> float:
        """Trades, millions a month."""
        return self.placed * self.fills

    @property
    def reaching_api(self) -> float:
        """Requests that the edge does not answer by itself, millions a month."""
        return self.requests * (1 - self.public * self.cached)
