-- What makes recovery bounded and damage visible. Additive: a matcher from before writes on and never notices.

-- Covers the row and, through the checksum before it, all rows before it (matcher.shell.chain). NULL: from before.
ALTER TABLE batches ADD COLUMN checksum bytea;

-- Saved engines (matcher.shell.checkpoints). Every one of them follows from the journal and may be deleted.
CREATE TABLE checkpoints (
    shard      integer NOT NULL,
    sequence   bigint NOT NULL,        -- the last batch that is in it
    at         bigint NOT NULL,
    epoch      bigint NOT NULL,        -- that batch's
    commands   bigint NOT NULL,        -- how many the journal had up to there
    format     text NOT NULL,          -- of the state: matcher.core.state.FORMAT
    chain      bytea,                  -- that batch's checksum
    trades     bytea NOT NULL,         -- the last ones of each product, JSON array of venue.events.Traded
    state      bytea NOT NULL,         -- Engine.save(), deflated
    digest     text NOT NULL,          -- Engine.digest()
    checksum   bytea NOT NULL,         -- over everything above
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shard, sequence)
);
ALTER TABLE checkpoints ALTER COLUMN state SET STORAGE EXTERNAL;
