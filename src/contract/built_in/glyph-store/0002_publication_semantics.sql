-- Version 2: what a publication means, not only where it went.
ALTER TABLE publications ADD COLUMN semantic_type TEXT NOT NULL DEFAULT '';
ALTER TABLE publications ADD COLUMN semantic_scope TEXT NOT NULL DEFAULT '';
ALTER TABLE publications ADD COLUMN semantic_description TEXT NOT NULL DEFAULT '';
UPDATE meta SET value = '2' WHERE key = 'store_version';
