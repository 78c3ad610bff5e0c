CREATE TABLE rooms (
    code TEXT PRIMARY KEY,
    seats INTEGER NOT NULL CHECK (seats > 0)
);
INSERT INTO rooms VALUES ('LG25', 120), ('L101', 40), ('L114', 32);
