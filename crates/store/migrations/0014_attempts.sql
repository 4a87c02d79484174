-- Of several sessions with the same task, the one that a person has taken. It is here before any of them is told.
CREATE TABLE attempts_taken (
    -- What the attempts are called by together: the first of them.
    attempts TEXT PRIMARY KEY,
    -- All of them, with spaces between.
    sessions TEXT NOT NULL,
    session  TEXT NOT NULL,
    by       TEXT NOT NULL,
    at       INTEGER NOT NULL,
    -- Whether each of them has been told.
    settled  INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX attempts_unsettled ON attempts_taken (at) WHERE settled = 0;
