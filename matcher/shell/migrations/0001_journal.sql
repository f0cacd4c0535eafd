-- The journal: what is not in here did not happen. Every batch becomes durable whole or not at all.
-- Amounts are minor units, prices ticks, sizes lots, times microseconds since 1970 UTC.

-- One owner per shard. Whoever raises the epoch owns it; every append checks its epoch in the same statement.
CREATE TABLE leases (
    shard      integer PRIMARY KEY,
    epoch      bigint NOT NULL,
    owner      text NOT NULL,
    address    text NOT NULL,
    expires_at timestamptz NOT NULL
);

-- The source of all truth, and the outbox: commands in, events out, in the order they were decided.
CREATE TABLE batches (
    shard    integer NOT NULL,
    sequence bigint NOT NULL,          -- gapless per shard, from 1
    epoch    bigint NOT NULL,
    at       bigint NOT NULL,
    commands bytea NOT NULL,           -- JSON array of venue.commands
    events   bytea NOT NULL,           -- JSON array of venue.events
    PRIMARY KEY (shard, sequence)
);

-- How far the relay has sent each shard's batches to the events queue.
CREATE TABLE relays (
    shard     integer PRIMARY KEY,
    published bigint NOT NULL
);

-- Market rules as of now, for readers that find Redis empty: JSON of venue.products.Product.
CREATE TABLE products (
    id    text PRIMARY KEY,
    rules jsonb NOT NULL
);

-- Every order as it stands now (venue.orders.Order).
CREATE TABLE orders (
    id             uuid PRIMARY KEY,
    account        text NOT NULL,
    product_id     text NOT NULL,
    side           text NOT NULL,
    type           text NOT NULL,
    time_in_force  text NOT NULL,
    post_only      boolean NOT NULL,
    client_oid     text,
    price          bigint,
    size           bigint,
    funds          bigint,
    status         text NOT NULL,
    created_at     bigint NOT NULL,
    filled         bigint NOT NULL,
    executed_value bigint NOT NULL,
    fees           bigint NOT NULL,
    hold           bigint NOT NULL,
    done_at        bigint,
    done_reason    text,
    reject_reason  text
);
CREATE INDEX orders_by_account ON orders (account, created_at DESC, id);

-- Every trade once; a fill is one side of it.
CREATE TABLE trades (
    product_id     text NOT NULL,
    trade_id       bigint NOT NULL,
    sequence       bigint NOT NULL,
    at             bigint NOT NULL,
    side           text NOT NULL,      -- the maker's
    price          bigint NOT NULL,
    size           bigint NOT NULL,
    maker_order_id uuid NOT NULL,
    maker_account  text NOT NULL,
    maker_fee      bigint NOT NULL,
    taker_order_id uuid NOT NULL,
    taker_account  text NOT NULL,
    taker_fee      bigint NOT NULL,
    PRIMARY KEY (product_id, trade_id)
);
CREATE INDEX trades_by_maker ON trades (maker_account, at DESC);
CREATE INDEX trades_by_taker ON trades (taker_account, at DESC);

-- The ledger: double entry, per asset free + held sums to zero in every batch (venue.ledger.Posting).
CREATE TABLE postings (
    shard      integer NOT NULL,
    sequence   bigint NOT NULL,        -- the batch
    ordinal    integer NOT NULL,       -- within the batch, from 0
    at         bigint NOT NULL,
    account    text NOT NULL,
    asset      text NOT NULL,
    kind       text NOT NULL,
    free       bigint NOT NULL,
    held       bigint NOT NULL,
    order_id   uuid,
    trade_id   bigint,
    product_id text,
    PRIMARY KEY (shard, sequence, ordinal)
);
CREATE INDEX postings_by_account ON postings (account, asset, sequence DESC);
