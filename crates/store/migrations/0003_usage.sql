-- What models were asked for: one row for each entry of a log that says so. A projection, like those of 0001.
CREATE TABLE usage (
    log           INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    person        TEXT NOT NULL,
    repository    TEXT NOT NULL,
    model         TEXT NOT NULL,
    input         INTEGER NOT NULL,
    output        INTEGER NOT NULL,
    cached        INTEGER NOT NULL,
    cache_written INTEGER NOT NULL,
    reasoning     INTEGER NOT NULL,
    -- NULL where no price was known.
    cost_micros   INTEGER,
    PRIMARY KEY (log, seq)
) WITHOUT ROWID;
CREATE INDEX usage_by_time ON usage (at);

-- Of the logs that are there already. No count is larger than src/usage.rs takes.
INSERT INTO usage
SELECT log, seq, at, person, repository, model,
    MIN(input, 1000000000000), MIN(output, 1000000000000), MIN(cached, 1000000000000),
    MIN(cache_written, 1000000000000), MIN(reasoning, 1000000000000), MIN(cost_micros, 1000000000000)
FROM (
    SELECT batch.log AS log, json_extract(entry.value, '$.seq') AS seq, json_extract(entry.value, '$.at') AS at,
        json_extract(summary.body, '$.person.name') AS person, summary.repository AS repository,
        json_extract(entry.value, '$.event.model') AS model,
        CAST(COALESCE(json_extract(entry.value, '$.event.tokens.input'), 0) AS INTEGER) AS input,
        CAST(COALESCE(json_extract(entry.value, '$.event.tokens.output'), 0) AS INTEGER) AS output,
        CAST(COALESCE(json_extract(entry.value, '$.event.tokens.cached'), 0) AS INTEGER) AS cached,
        CAST(COALESCE(json_extract(entry.value, '$.event.tokens.cache_written'), 0) AS INTEGER) AS cache_written,
        CAST(COALESCE(json_extract(entry.value, '$.event.tokens.reasoning'), 0) AS INTEGER) AS reasoning,
        CAST(json_extract(entry.value, '$.event.cost_micros') AS INTEGER) AS cost_micros
    FROM (
        SELECT log, '[' || replace(CAST(body AS TEXT), char(10), ',') || ']' AS entries
        FROM log_batches WHERE instr(CAST(body AS TEXT), '"tokens_used"') > 0
    ) AS batch
    JOIN summaries AS summary ON summary.log = batch.log
    JOIN json_each(CASE WHEN json_valid(batch.entries) THEN batch.entries ELSE '[]' END) AS entry
    WHERE json_extract(entry.value, '$.event.type') = 'tokens_used'
)
WHERE person IS NOT NULL AND model IS NOT NULL AND seq IS NOT NULL AND at IS NOT NULL;
