-- Of several sessions with the same task, the one that a person has taken. It is here before any of them is told.
CREATE TABLE attempts_taken (
    -- What the attempts are called by together: the first of them.
    attempts TEXT COLLATE "C" PRIMARY KEY,
    -- All of them, with spaces between.
    sessions TEXT COLLATE "C" NOT NULL,
    session  TEXT COLLATE "C" NOT NULL,
    by       TEXT COLLATE "C" NOT NULL,
    at       BIGINT NOT NULL,
    -- Whether each of them has been told.
    settled  BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX attempts_unsettled ON attempts_taken (at) WHERE settled = 0;
