-- Version 2 for a store whose publications carry their meaning already.
UPDATE meta SET value = '2' WHERE key = 'store_version';
