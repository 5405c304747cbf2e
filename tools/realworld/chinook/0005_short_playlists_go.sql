DELETE FROM PlaylistTrack WHERE PlaylistId IN (
    SELECT PlaylistId FROM PlaylistTrack GROUP BY PlaylistId HAVING count(*) < 20
);
DELETE FROM Playlist WHERE PlaylistId NOT IN (SELECT PlaylistId FROM PlaylistTrack);
