-- What of a pull request's reviews and checks was taken to its session.
CREATE TABLE reviewed (
    session  TEXT PRIMARY KEY,
    -- The newest review and the newest comment at a line that were seen.
    review   INTEGER NOT NULL DEFAULT 0,
    comment  INTEGER NOT NULL DEFAULT 0,
    -- The commit whose checks or conflicts were told, how often since a person said something, and the commit at which a person was asked.
    told_at  TEXT,
    rounds   INTEGER NOT NULL DEFAULT 0,
    asked_at TEXT
);
-- What is to be said to a session, under the id that its prompt has or will have.
CREATE TABLE remarks (
    prompt  TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    text    TEXT NOT NULL,
    said_by TEXT NOT NULL,
    is_said INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX remarks_unsaid ON remarks (session) WHERE is_said = 0;
-- What is to be answered once that prompt's turn is over; a thread of 0 is a review's summary.
CREATE TABLE replies (
    session TEXT NOT NULL,
    about   INTEGER NOT NULL,
    thread  INTEGER NOT NULL,
    prompt  TEXT NOT NULL,
    number  INTEGER NOT NULL,
    PRIMARY KEY (session, about)
);
