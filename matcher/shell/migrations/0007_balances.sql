-- What the ledger came to, so that nobody has to sum a whole history. The scheduled reconciliation writes these rows, in
-- the journal's wake and never in its statement; without it everything still holds, and only takes longer.

-- How far each shard's postings are summed up.
CREATE TABLE summed (
    shard    integer PRIMARY KEY,
    sequence bigint NOT NULL
);

-- All that a wallet's postings of one shard come to, up to and with a batch: one row for every so many postings, so
-- that a balance of any time is a row and a short sum. `postings`: how many lie between this row and the one before.
CREATE TABLE balances (
    account  text NOT NULL,
    asset    text NOT NULL,
    shard    integer NOT NULL,
    sequence bigint NOT NULL,
    postings bigint NOT NULL,
    free     numeric NOT NULL,
    held     numeric NOT NULL,
    PRIMARY KEY (account, asset, shard, sequence)
);

-- Where the reconciliation's walk through all wallets has come to; NULL: it begins anew.
CREATE TABLE walks (
    name   text PRIMARY KEY,
    cursor text
);
