-- What a forge told, by its own sending or because it was asked, until it has had its effect; then, for a while, that it was told.
CREATE TABLE deliveries (
    number   INTEGER PRIMARY KEY,
    -- The forge's own name of the delivery.
    id       TEXT NOT NULL UNIQUE,
    -- What it is about, the same whichever way it came; NULL where only the delivery has a name.
    identity TEXT UNIQUE,
    body     TEXT NOT NULL,
    at       INTEGER NOT NULL,
    -- When it is to be looked at; NULL once it has had its effect.
    due_at   INTEGER,
    tries    INTEGER NOT NULL DEFAULT 0,
    outcome  TEXT
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_done ON deliveries (at) WHERE due_at IS NULL;

-- Up to where a list of the forge was read.
CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    at   TEXT NOT NULL
);

-- Which session works on which issue, and what was said there about it.
CREATE TABLE threads (
    repository   TEXT NOT NULL,
    number       INTEGER NOT NULL,
    session      TEXT NOT NULL UNIQUE,
    begun_at     INTEGER NOT NULL,
    -- The one comment, and what it says.
    comment      INTEGER,
    told         TEXT NOT NULL DEFAULT '',
    branch       TEXT,
    pull_request INTEGER,
    -- Why it does not go on without a person, and at which commit that was.
    problem      TEXT,
    problem_at   TEXT,
    PRIMARY KEY (repository, number)
);
CREATE INDEX threads_by_pull_request ON threads (repository, pull_request) WHERE pull_request IS NOT NULL;
