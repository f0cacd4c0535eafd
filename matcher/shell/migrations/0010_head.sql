-- Up to where a shard's journal reaches at least, so that rows lost at its end are missed: every append says so in the
-- statement that checks the epoch. A matcher from before writes on without it, and then the journal just reaches farther.
ALTER TABLE leases ADD COLUMN head bigint NOT NULL DEFAULT 0;
