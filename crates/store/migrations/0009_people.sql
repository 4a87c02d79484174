-- Who may use this server. Nobody is ever deleted, so that a name in a log is one person's for good.
CREATE TABLE people (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    -- In lower case: two people do not differ by that.
    name_key   TEXT NOT NULL UNIQUE,
    email      TEXT NOT NULL,
    role       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    removed_at INTEGER
);
-- Whom somebody else, who signs people in, knows them as.
CREATE TABLE identities (
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    person  TEXT NOT NULL,
    -- As people write it, such as a name on GitHub; told anew at each sign-in.
    login   TEXT NOT NULL,
    PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;
CREATE INDEX identities_by_person ON identities (person);
-- What lets somebody in: tokens, browsers, invitations, links. Of each secret only its SHA-256 is here.
CREATE TABLE credentials (
    id             TEXT PRIMARY KEY,
    hash           BLOB NOT NULL UNIQUE,
    -- What the secret was before it was changed, and until when that counts.
    former         BLOB,
    former_until   INTEGER,
    -- NULL of an invitation.
    person         TEXT,
    kind           TEXT NOT NULL,
    body           TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    used_at        INTEGER
);
CREATE INDEX credentials_by_person ON credentials (person);
CREATE INDEX credentials_by_former ON credentials (former) WHERE former IS NOT NULL;
