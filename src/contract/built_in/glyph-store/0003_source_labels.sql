-- Version 3: one row a label instead of a comma-separated list in sources.labels.
CREATE TABLE source_labels (
    path TEXT NOT NULL REFERENCES sources (path) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (path, position)
) WITHOUT ROWID;

INSERT INTO source_labels (path, position, label)
WITH RECURSIVE split (path, position, label, rest) AS (
    SELECT path, -1, '', labels || ',' FROM sources WHERE labels <> ''
    UNION ALL
    SELECT path, position + 1, substr(rest, 1, instr(rest, ',') - 1), substr(rest, instr(rest, ',') + 1)
    FROM split
    WHERE rest <> ''
)
SELECT path, position, label FROM split WHERE position >= 0 ORDER BY path, position;

ALTER TABLE sources DROP COLUMN labels;
UPDATE meta SET value = '3' WHERE key = 'store_version';
