-- Instants are whole seconds since 1970, UTC. Every key begins with the issuer; nothing joins across issuers.
-- Records are JSON as ficha-core writes them; beside them stand the columns that a query needs.

-- The last numbers that an issuer gave to its changes, to a change of its declarations, and to its audit rows.
CREATE TABLE counters (
    issuer TEXT NOT NULL,
    change INTEGER NOT NULL,
    configured INTEGER NOT NULL,
    audit INTEGER NOT NULL,
    PRIMARY KEY (issuer)
) STRICT, WITHOUT ROWID;

CREATE TABLE issuers (
    issuer TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (issuer)
) STRICT;

-- Where issuers answer, as scheme://host:port/prefix: a place belongs to one issuer.
CREATE TABLE base_urls (
    issuer TEXT NOT NULL,
    url TEXT NOT NULL,
    PRIMARY KEY (issuer, url)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX base_urls_by_url ON base_urls (url);

-- What an issuer's clients, APIs and users are called in tokens: a name belongs to one of them.
-- kind: 'client', 'api' or 'user'; owner: what the record is found by (for a user, the name that is typed).
CREATE TABLE names (
    issuer TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (issuer, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE apis (
    issuer TEXT NOT NULL,
    name TEXT NOT NULL,
    audience TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (issuer, name)
) STRICT;
CREATE UNIQUE INDEX apis_by_audience ON apis (issuer, audience);

CREATE TABLE clients (
    issuer TEXT NOT NULL,
    id TEXT NOT NULL,
    policy INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (issuer, id)
) STRICT;

CREATE TABLE users (
    issuer TEXT NOT NULL,
    name TEXT NOT NULL,
    sub TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (issuer, name)
) STRICT;
CREATE UNIQUE INDEX users_by_sub ON users (issuer, sub);

CREATE TABLE signing_keys (
    issuer TEXT NOT NULL,
    kid TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    api TEXT,
    state TEXT NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (issuer, kid)
) STRICT;

CREATE TABLE sealing_keys (
    issuer TEXT NOT NULL,
    purpose TEXT NOT NULL,
    number INTEGER NOT NULL,
    master TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (issuer, purpose, number)
) STRICT, WITHOUT ROWID;

-- renewals: how often the row's token was replaced by its successor.
CREATE TABLE live_tokens (
    issuer TEXT NOT NULL,
    client TEXT NOT NULL,
    api TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    kid TEXT NOT NULL,
    renewals INTEGER NOT NULL,
    PRIMARY KEY (issuer, client, api, fingerprint)
) STRICT;
CREATE INDEX live_tokens_by_id ON live_tokens (issuer, id);
CREATE INDEX live_tokens_by_end ON live_tokens (expires_at);

-- step: that of the one token that was not used yet. ended: 0 not, 1 revoked, 2 revoked by a replay.
CREATE TABLE families (
    issuer TEXT NOT NULL,
    family TEXT NOT NULL,
    client TEXT NOT NULL,
    sub TEXT,
    step INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    keep_until INTEGER NOT NULL,
    PRIMARY KEY (issuer, family)
) STRICT, WITHOUT ROWID;
CREATE INDEX families_by_end ON families (keep_until);

-- api: '' for all of them.
CREATE TABLE revocations (
    issuer TEXT NOT NULL,
    id TEXT NOT NULL,
    api TEXT NOT NULL,
    client TEXT,
    issued_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (issuer, id, api)
) STRICT, WITHOUT ROWID;
CREATE INDEX revocations_by_age ON revocations (issuer, client, issued_at);
CREATE INDEX revocations_by_client_end ON revocations (issuer, client, until);
CREATE INDEX revocations_by_end ON revocations (until);

-- How many rows a client has in revocations: counting them for each one more would be slow.
CREATE TABLE revocation_counts (
    issuer TEXT NOT NULL,
    client TEXT NOT NULL,
    standing INTEGER NOT NULL,
    PRIMARY KEY (issuer, client)
) STRICT, WITHOUT ROWID;

-- kind: 'issuer', 'client' or 'user'; owner: the client's id, the user's sub, else ''; api: '' for all of them.
CREATE TABLE marks (
    issuer TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    api TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (issuer, kind, owner, api)
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (
    issuer TEXT NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (issuer, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX changes_by_age ON changes (at);

CREATE TABLE audit (
    issuer TEXT NOT NULL,
    number INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (issuer, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE secret_uses (
    issuer TEXT NOT NULL,
    owner TEXT NOT NULL,
    secret TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (issuer, owner, secret)
) STRICT, WITHOUT ROWID;

-- About the database itself.
CREATE TABLE notes (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;

-- What a probe writes to see whether writing works; beats makes each one another row.
CREATE TABLE probes (
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    beats INTEGER NOT NULL,
    PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;
