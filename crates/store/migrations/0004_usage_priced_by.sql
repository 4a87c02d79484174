-- By which list of prices a row was counted, NULL for rows of before; and whether that was in part guessed.
ALTER TABLE usage ADD COLUMN priced_by TEXT;
ALTER TABLE usage ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;
