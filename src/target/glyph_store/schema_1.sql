-- Version 1 of a `.glyph` store's database, in the shape of its first builds.
BEGIN;
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE content (
    id TEXT NOT NULL PRIMARY KEY,
    hash TEXT NOT NULL,
    size INTEGER NOT NULL,
    path TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE sources (
    path TEXT NOT NULL PRIMARY KEY,
    content_id TEXT NOT NULL,
    labels TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE TABLE realms (name TEXT NOT NULL PRIMARY KEY, description TEXT NOT NULL);
CREATE TABLE work_contexts (
    name TEXT NOT NULL PRIMARY KEY,
    base_realm TEXT NOT NULL,
    workspace_path TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE snapshots (
    id TEXT NOT NULL PRIMARY KEY,
    work_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE publications (
    id TEXT NOT NULL PRIMARY KEY,
    work_name TEXT NOT NULL,
    dest_realm TEXT NOT NULL,
    status TEXT NOT NULL,
    actor TEXT NOT NULL,
    mode TEXT NOT NULL DEFAULT 'squash',
    created_at TEXT NOT NULL
);
CREATE TABLE remotes (name TEXT NOT NULL PRIMARY KEY, url TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE mounts (path TEXT NOT NULL PRIMARY KEY, source TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE work_claims (
    work_name TEXT NOT NULL PRIMARY KEY,
    actor TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE work_dependencies (
    work_name TEXT NOT NULL,
    depends_on_work TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (work_name, depends_on_work)
);
CREATE TABLE work_conflicts (
    id TEXT NOT NULL PRIMARY KEY,
    work_name TEXT NOT NULL,
    path TEXT NOT NULL,
    count INTEGER NOT NULL,
    created_at TEXT NOT NULL
);
CREATE TABLE hook_runs (
    id TEXT NOT NULL PRIMARY KEY,
    hook TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL
);
INSERT INTO meta (key, value) VALUES ('store_version', '1');
COMMIT;
