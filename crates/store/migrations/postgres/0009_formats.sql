-- The greatest number of kinds of events that a server which had this log knew (`lamplight_domain::event::FORMAT`): who knows fewer may not be
-- able to read it, and does not claim it. 0 is of before this was kept.
ALTER TABLE logs ADD COLUMN format BIGINT NOT NULL DEFAULT 0;
