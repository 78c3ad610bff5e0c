-- A room has one booking at a time; the index says so, whatever a program does.
CREATE TABLE bookings (
    room TEXT NOT NULL REFERENCES rooms (code),
    starts_at TEXT NOT NULL,
    module TEXT NOT NULL,
    PRIMARY KEY (room, starts_at)
) WITHOUT ROWID;
INSERT INTO bookings VALUES ('LG25', '2026-01-12T09:00', 'CA400');
