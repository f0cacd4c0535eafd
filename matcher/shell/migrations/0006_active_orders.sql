-- A stop order that waits for its price is not over: it is listed with the open orders, and holds.
DROP INDEX orders_open;
CREATE INDEX orders_open ON orders (account, created_at DESC, id) WHERE status IN ('open', 'active');
