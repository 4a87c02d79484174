-- Sandboxes that are lent to somebody's programs, with no session. What they were asked to be is sealed: it may hold secrets.
CREATE TABLE lent (
    id     TEXT PRIMARY KEY,
    -- The name of whom it is for.
    person TEXT NOT NULL,
    body   BLOB NOT NULL
) WITHOUT ROWID;
