-- Candles and a day's statistics ask for trades by time. They are inserted nearly in that order, so that an index of block
-- ranges is enough, which hardly costs the append anything.
CREATE INDEX trades_by_time ON trades USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
