-- Who may do what (venue_aws.roles makes the groups, and the logins in them). The journal is added to and never changed: not
-- even its matcher may update or delete a batch, a trade or a posting. Functions read; reconciliation keeps its sums. A table
-- that comes later grants its own rights.

DO $$
BEGIN
    -- A database with one user for everything, as benchmarks have, knows no groups and needs none.
    IF (SELECT count(*) FROM pg_roles WHERE rolname IN ('venue_matcher', 'venue_functions')) < 2 THEN
        RETURN;
    END IF;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO venue_matcher;
    GRANT INSERT, UPDATE ON leases, relays, products, orders TO venue_matcher;
    GRANT INSERT ON batches, trades, postings TO venue_matcher;
    GRANT INSERT, UPDATE, DELETE ON checkpoints TO venue_matcher;

    GRANT SELECT ON leases, batches, relays, products, orders, trades, postings, summed, balances, walks TO venue_functions;
    GRANT INSERT, UPDATE, DELETE ON summed, balances, walks TO venue_functions;
END $$;
