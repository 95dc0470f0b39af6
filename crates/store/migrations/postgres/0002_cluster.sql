-- Many nodes: what a change tells without another look, and what nodes know of each other.

-- api: the API that a change concerns, '' for all of them. moment: a mark's instant, a revocation's end, else 0.
-- What was numbered before was followed by nobody, and its subjects were written in another way.
DELETE FROM changes;
ALTER TABLE changes ADD COLUMN api TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE changes ADD COLUMN moment BIGINT NOT NULL DEFAULT 0;

-- api: what the tokens of the family are for; '' where that was not written yet.
ALTER TABLE families ADD COLUMN api TEXT COLLATE "C" NOT NULL DEFAULT '';

-- The nodes that run, or ran: one name for each start of one. seen_at is in milliseconds, by the clock of the database where
-- it has one.
CREATE TABLE nodes (
    name TEXT COLLATE "C" NOT NULL,
    seen_at BIGINT NOT NULL,
    beats BIGINT NOT NULL,
    PRIMARY KEY (name)
) WITH (fillfactor = 70);

-- Up to which change a node has applied those of an issuer. A node that remembers nothing of an issuer has no row.
CREATE TABLE confirmations (
    issuer TEXT COLLATE "C" NOT NULL,
    node TEXT COLLATE "C" NOT NULL,
    change BIGINT NOT NULL,
    PRIMARY KEY (issuer, node)
) WITH (fillfactor = 70);
CREATE INDEX confirmations_by_node ON confirmations (node);

-- Duties that one node has at a time. until is in milliseconds, as seen_at.
CREATE TABLE leases (
    name TEXT COLLATE "C" NOT NULL,
    node TEXT COLLATE "C" NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (name)
) WITH (fillfactor = 70);

-- The counter of the issuer without a name counts the changes of any issuer's declaration.
INSERT INTO counters (issuer, change, configured, audit) VALUES ('', 0, 0, 0);
