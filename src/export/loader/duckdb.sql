-- Reads what `COMMAND` writes, every column under its type and none guessed:
--
--   FROM ledger_events('history.jsonl');
--
-- Integers are exact; `at` is in milliseconds: epoch_ms("at"). `body` is JSON in a text: body ->> '$.plan'.
-- A file of another form or version is an error and not a table with holes.
CREATE OR REPLACE MACRO ledger_events(files) AS TABLE
SELECT * FROM read_json(files, format = 'newline_delimited', columns = {
    COLUMNS
})
WHERE CASE WHEN "schema" IN (SCHEMAS) THEN "kind" <> ''
    ELSE error('not a line of `COMMAND` of this version: ' || coalesce("schema", 'no schema'))
END;
