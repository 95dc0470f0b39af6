-- Many nodes: what a change tells without another look, and what nodes know of each other.

-- api: the API that a change concerns, '' for all of them. moment: a mark's instant, a revocation's end, else 0.
-- What was numbered before was followed by nobody, and its subjects were written in another way.
DELETE FROM changes;
ALTER TABLE changes ADD COLUMN api TEXT NOT NULL DEFAULT '';
ALTER TABLE changes ADD COLUMN moment INTEGER NOT NULL DEFAULT 0;

-- api: what the tokens of the family are for; '' where that was not written yet.
ALTER TABLE families ADD COLUMN api TEXT NOT NULL DEFAULT '';

-- The nodes that run, or ran: one name for each start of one. seen_at is in milliseconds, by the clock of the database where
-- it has one.
CREATE TABLE nodes (
    name TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    beats INTEGER NOT NULL,
    PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;

-- Up to which change a node has applied those of an issuer. A node that remembers nothing of an issuer has no row.
CREATE TABLE confirmations (
    issuer TEXT NOT NULL,
    node TEXT NOT NULL,
    change INTEGER NOT NULL,
    PRIMARY KEY (issuer, node)
) STRICT, WITHOUT ROWID;
CREATE INDEX confirmations_by_node ON confirmations (node);

-- Duties that one node has at a time. until is in milliseconds, as seen_at.
CREATE TABLE leases (
    name TEXT NOT NULL,
    node TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;

-- The counter of the issuer without a name counts the changes of any issuer's declaration.
INSERT INTO counters (issuer, change, configured, audit) VALUES ('', 0, 0, 0);
