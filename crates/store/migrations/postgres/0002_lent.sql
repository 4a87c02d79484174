-- Sandboxes that are lent to somebody's programs, with no session. What they were asked to be is sealed: it may hold secrets.
CREATE TABLE lent (
    id     TEXT COLLATE "C" PRIMARY KEY,
    -- The name of whom it is for.
    person TEXT COLLATE "C" NOT NULL,
    body   BYTEA NOT NULL
);
