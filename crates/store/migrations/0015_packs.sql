-- Parts of logs that are in blobs, under the names of those, and no longer in log_batches: of each log from its beginning on, without a gap.
CREATE TABLE log_packs (
    log       INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq  INTEGER NOT NULL,
    blob      TEXT NOT NULL,
    PRIMARY KEY (log, first_seq)
) WITHOUT ROWID;
