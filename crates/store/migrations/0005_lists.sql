-- What lists are filtered by as well: whom a session is for, and whether somebody put it aside.
ALTER TABLE summaries ADD COLUMN person TEXT NOT NULL DEFAULT '';
ALTER TABLE summaries ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
UPDATE summaries SET person = COALESCE(json_extract(body, '$.person.name'), '') WHERE json_valid(body);
-- In the order of lists, with all that they are filtered by, so that bodies are read only of what is shown.
CREATE INDEX summaries_listed ON summaries (archived, session, phase, person, repository, title);
