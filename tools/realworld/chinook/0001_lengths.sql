-- Lengths in seconds beside those in milliseconds; when a row was last looked at.
ALTER TABLE Track ADD COLUMN Seconds REAL;
UPDATE Track SET Seconds = Milliseconds / 1000.0;
ALTER TABLE Customer ADD COLUMN SeenAt TEXT;
UPDATE Customer SET SeenAt = CURRENT_TIMESTAMP;
