-- What orders can be beyond limit and market: self-trade prevention, expiry, stops, icebergs (venue.orders.Order).

ALTER TABLE orders
    ADD COLUMN stp          text,
    ADD COLUMN expire_at    bigint,
    ADD COLUMN stop         text,
    ADD COLUMN stop_price   bigint,
    ADD COLUMN display_size bigint;
