-- Addresses that are told what happens to sessions. The secret of each is sealed, among the secrets.
CREATE TABLE hooks (
    id         TEXT PRIMARY KEY,
    url        TEXT NOT NULL,
    -- What it is told of, with a space before and behind each; empty is everything.
    kinds      TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- When something came through last.
    came_at    INTEGER,
    -- Why nothing is sent there any more; NULL while something is.
    disabled   TEXT
) WITHOUT ROWID;
-- What they are told: a row for each hook and entry of a log, written with the entry.
CREATE TABLE hook_deliveries (
    number       INTEGER PRIMARY KEY,
    hook         TEXT NOT NULL,
    session      TEXT NOT NULL,
    seq          INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    at           INTEGER NOT NULL,
    body         TEXT NOT NULL,
    -- From when on the time counts that is left for it.
    since        INTEGER NOT NULL,
    -- When it is tried next; NULL once it came through, or was given up.
    due_at       INTEGER,
    delivered_at INTEGER,
    -- How often it was begun, which tells one try from another.
    tries        INTEGER NOT NULL DEFAULT 0,
    -- Those of before `since`.
    tries_before INTEGER NOT NULL DEFAULT 0,
    -- What came of the last try, in words.
    outcome      TEXT NOT NULL DEFAULT '',
    UNIQUE (hook, session, seq)
);
CREATE INDEX hook_deliveries_listed ON hook_deliveries (hook, number);
CREATE INDEX hook_deliveries_due ON hook_deliveries (hook, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX hook_deliveries_dead ON hook_deliveries (hook, number) WHERE due_at IS NULL AND delivered_at IS NULL;
CREATE INDEX hook_deliveries_delivered ON hook_deliveries (delivered_at) WHERE delivered_at IS NOT NULL;
CREATE INDEX hook_deliveries_given_up ON hook_deliveries (at) WHERE due_at IS NULL AND delivered_at IS NULL;
