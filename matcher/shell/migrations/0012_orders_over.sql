-- An order is listed with those that are open or with those that are over, and stands in one index and not in two: what an
-- append costs PostgreSQL is mostly its indexes. A list of both reads both. On a journal that is large already build it
-- beforehand, CONCURRENTLY and under this name: here it would hold up the owner's writes.
CREATE INDEX IF NOT EXISTS orders_over ON orders (account, created_at DESC, id) WHERE status NOT IN ('open', 'active');
DROP INDEX IF EXISTS orders_by_account;
