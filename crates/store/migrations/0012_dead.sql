-- What lists are filtered by as well: sessions whose last turn failed for want of a sandbox or the like, and can be tried again. Those of before are
-- in no such list until something is written to them.
ALTER TABLE summaries ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;
CREATE INDEX summaries_dead ON summaries (archived, session) WHERE dead = 1;
