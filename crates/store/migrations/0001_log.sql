-- The log. One row of log_batches is one append, which is several entries; rows are only ever added.
CREATE TABLE logs (
    number  INTEGER PRIMARY KEY,
    session TEXT NOT NULL UNIQUE
);
CREATE TABLE log_batches (
    id        INTEGER PRIMARY KEY,
    log       INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    crc       INTEGER NOT NULL,
    body      BLOB NOT NULL
);
CREATE UNIQUE INDEX log_batches_by_seq ON log_batches (log, first_seq);

-- Projections: everything below can be derived from the log again.
CREATE TABLE summaries (
    log        INTEGER PRIMARY KEY,
    session    TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    phase      TEXT NOT NULL,
    title      TEXT NOT NULL,
    repository TEXT NOT NULL,
    agent      TEXT NOT NULL,
    open       INTEGER NOT NULL,
    body       TEXT NOT NULL
);
-- What lists are filtered by and ordered by, without the bodies.
CREATE INDEX summaries_by_session ON summaries (session, title, repository);
CREATE INDEX summaries_by_phase ON summaries (phase, session);
CREATE INDEX summaries_open ON summaries (session) WHERE open = 1;

-- What search finds. Rows are added with the log; texts_fts follows later, up to cursors('texts_fts').
CREATE TABLE texts (
    id   INTEGER PRIMARY KEY,
    log  INTEGER NOT NULL,
    seq  INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE VIRTUAL TABLE texts_fts USING fts5 (
    text, content = 'texts', content_rowid = 'id', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TABLE cursors (
    name TEXT PRIMARY KEY,
    at   INTEGER NOT NULL
);
INSERT INTO cursors VALUES ('texts_fts', 0);

-- What the log does not know.
CREATE TABLE answers (
    key         TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    response    TEXT NOT NULL,
    at          INTEGER NOT NULL
);
CREATE INDEX answers_by_age ON answers (at);
CREATE TABLE repositories (
    path         TEXT PRIMARY KEY,
    last_used_at INTEGER NOT NULL
);
