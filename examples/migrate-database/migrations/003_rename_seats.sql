ALTER TABLE rooms RENAME COLUMN seats TO capacity;
UPDATE rooms SET capacity = 36 WHERE code = 'L114';
