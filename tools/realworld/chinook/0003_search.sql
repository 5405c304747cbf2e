CREATE VIRTUAL TABLE TrackSearch USING fts5 (Name, Composer, content = 'Track', content_rowid = 'TrackId');
INSERT INTO TrackSearch (TrackSearch) VALUES ('rebuild');
CREATE TRIGGER TrackAdded AFTER INSERT ON Track BEGIN
    INSERT INTO TrackSearch (rowid, Name, Composer) VALUES (new.TrackId, new.Name, new.Composer);
END;
