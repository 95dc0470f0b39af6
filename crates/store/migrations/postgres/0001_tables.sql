-- Instants are whole seconds since 1970, UTC. Every key begins with the issuer; nothing joins across issuers.
-- Words are compared byte by byte whatever the database's locale, and pages of what is updated often keep room, so that an
-- update touches no index. Records are JSON as ficha-core writes them; beside them stand the columns that a query needs.

-- The last numbers that an issuer gave to its changes, to a change of its declarations, and to its audit rows.
CREATE TABLE counters (
    issuer TEXT COLLATE "C" NOT NULL,
    change BIGINT NOT NULL,
    configured BIGINT NOT NULL,
    audit BIGINT NOT NULL,
    PRIMARY KEY (issuer)
) WITH (fillfactor = 70);

CREATE TABLE issuers (
    issuer TEXT COLLATE "C" NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (issuer)
);

-- Where issuers answer, as scheme://host:port/prefix: a place belongs to one issuer.
CREATE TABLE base_urls (
    issuer TEXT COLLATE "C" NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (issuer, url)
);
CREATE UNIQUE INDEX base_urls_by_url ON base_urls (url);

-- What an issuer's clients, APIs and users are called in tokens: a name belongs to one of them.
-- kind: 'client', 'api' or 'user'; owner: what the record is found by (for a user, the name that is typed).
CREATE TABLE names (
    issuer TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (issuer, name)
);

CREATE TABLE apis (
    issuer TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    audience TEXT COLLATE "C" NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (issuer, name)
);
CREATE UNIQUE INDEX apis_by_audience ON apis (issuer, audience);

CREATE TABLE clients (
    issuer TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    policy BIGINT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (issuer, id)
);

CREATE TABLE users (
    issuer TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    sub TEXT COLLATE "C" NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (issuer, name)
);
CREATE UNIQUE INDEX users_by_sub ON users (issuer, sub);

CREATE TABLE signing_keys (
    issuer TEXT COLLATE "C" NOT NULL,
    kid TEXT COLLATE "C" NOT NULL,
    algorithm TEXT COLLATE "C" NOT NULL,
    api TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (issuer, kid)
);

CREATE TABLE sealing_keys (
    issuer TEXT COLLATE "C" NOT NULL,
    purpose TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    master TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (issuer, purpose, number)
);

-- renewals: how often the row's token was replaced by its successor.
CREATE TABLE live_tokens (
    issuer TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    api TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    kid TEXT COLLATE "C" NOT NULL,
    renewals BIGINT NOT NULL,
    PRIMARY KEY (issuer, client, api, fingerprint)
) WITH (fillfactor = 70);
CREATE INDEX live_tokens_by_id ON live_tokens (issuer, id);
CREATE INDEX live_tokens_by_end ON live_tokens (expires_at);

-- step: that of the one token that was not used yet. ended: 0 not, 1 revoked, 2 revoked by a replay.
CREATE TABLE families (
    issuer TEXT COLLATE "C" NOT NULL,
    family TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    sub TEXT COLLATE "C",
    step BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    keep_until BIGINT NOT NULL,
    PRIMARY KEY (issuer, family)
) WITH (fillfactor = 70);
CREATE INDEX families_by_end ON families (keep_until);

-- api: '' for all of them.
CREATE TABLE revocations (
    issuer TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    api TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C",
    issued_at BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (issuer, id, api)
);
CREATE INDEX revocations_by_age ON revocations (issuer, client, issued_at);
CREATE INDEX revocations_by_client_end ON revocations (issuer, client, until);
CREATE INDEX revocations_by_end ON revocations (until);

-- How many rows a client has in revocations: counting them for each one more would be slow.
CREATE TABLE revocation_counts (
    issuer TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    standing BIGINT NOT NULL,
    PRIMARY KEY (issuer, client)
) WITH (fillfactor = 70);

-- kind: 'issuer', 'client' or 'user'; owner: the client's id, the user's sub, else ''; api: '' for all of them.
CREATE TABLE marks (
    issuer TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    api TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (issuer, kind, owner, api)
);

CREATE TABLE changes (
    issuer TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (issuer, number)
);
CREATE INDEX changes_by_age ON changes (at);

CREATE TABLE audit (
    issuer TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (issuer, number)
);

CREATE TABLE secret_uses (
    issuer TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    secret TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (issuer, owner, secret)
);

-- About the database itself.
CREATE TABLE notes (
    name TEXT COLLATE "C" NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
);

-- What a probe writes to see whether writing works; beats makes each one another row.
CREATE TABLE probes (
    name TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    beats BIGINT NOT NULL,
    PRIMARY KEY (name)
) WITH (fillfactor = 70);
