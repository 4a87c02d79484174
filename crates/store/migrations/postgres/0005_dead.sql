-- As 0012 of SQLite.
ALTER TABLE summaries ADD COLUMN dead BIGINT NOT NULL DEFAULT 0;
CREATE INDEX summaries_dead ON summaries (archived, session) WHERE dead = 1;
