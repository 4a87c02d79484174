-- Parts of logs that are in blobs, under the names of those, and no longer in log_batches: of each log from its beginning on, without a gap.
CREATE TABLE log_packs (
    log       BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq  BIGINT NOT NULL,
    blob      TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (log, first_seq)
);
