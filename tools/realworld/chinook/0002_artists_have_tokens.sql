-- The rebuild that SQLite documents: albums name the table, and must keep their rows.
PRAGMA foreign_keys = OFF;
CREATE TABLE NewArtist (
    ArtistId INTEGER PRIMARY KEY,
    Name TEXT NOT NULL DEFAULT '',
    Token TEXT NOT NULL
);
INSERT INTO NewArtist SELECT ArtistId, coalesce(Name, ''), hex(randomblob(8)) FROM Artist;
DROP TABLE Artist;
ALTER TABLE NewArtist RENAME TO Artist;
PRAGMA foreign_keys = ON;
