-- Sessions that are begun by the clock or by what happens on GitHub.
CREATE TABLE automations (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    -- In lower case: two automations do not differ by that.
    name_key   TEXT NOT NULL UNIQUE,
    -- Who made it; the id is NULL where nobody signs in.
    owner      TEXT,
    owner_name TEXT NOT NULL,
    repository TEXT NOT NULL,
    -- owner/name on GitHub, in lower case, of one that waits for what happens there.
    forge      TEXT,
    body       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- By the clock: when it is to run next. NULL while it is paused, and of one that waits for something else.
    due_at     INTEGER,
    -- Why it does not run; NULL while it does.
    paused     TEXT,
    paused_at  INTEGER,
    -- Runs in a row that came to nothing.
    failures   INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX automations_due ON automations (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX automations_by_forge ON automations (forge) WHERE forge IS NOT NULL;

-- What came of each time. The id of the session is here before there is a session.
CREATE TABLE automation_runs (
    number     INTEGER PRIMARY KEY,
    automation TEXT NOT NULL,
    -- What it is for, such as the moment that it was due: the same thing has one run.
    key        TEXT NOT NULL,
    cause      TEXT NOT NULL,
    session    TEXT NOT NULL UNIQUE,
    at         INTEGER NOT NULL,
    -- waiting, running, done, failed, skipped
    state      TEXT NOT NULL,
    detail     TEXT NOT NULL DEFAULT '',
    -- While it waits: when it is looked at.
    due_at     INTEGER,
    tries      INTEGER NOT NULL DEFAULT 0,
    -- When its session was there.
    started_at INTEGER,
    UNIQUE (automation, key)
);
CREATE INDEX automation_runs_newest ON automation_runs (automation, number);
CREATE INDEX automation_runs_open ON automation_runs (state) WHERE state IN ('waiting', 'running');
CREATE INDEX automation_runs_settled ON automation_runs (at) WHERE due_at IS NULL;
