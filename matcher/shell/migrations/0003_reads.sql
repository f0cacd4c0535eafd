-- What an account asks for most must not take longer, the longer its history is: its open orders, the fills of one order.
-- Together they cost the append some 10 % where every second order trades, and less elsewhere. On a journal that is
-- large already build them beforehand, CONCURRENTLY and under these names: here they would hold up the owner's writes.
CREATE INDEX IF NOT EXISTS orders_open ON orders (account, created_at DESC, id) WHERE status = 'open';
CREATE INDEX IF NOT EXISTS trades_by_maker_order ON trades (maker_order_id);
CREATE INDEX IF NOT EXISTS trades_by_taker_order ON trades (taker_order_id);
