-- Version 5 (PRAGMA user_version): what tells this file from older states of itself and from copies (see store/disk.rs),
-- and whether its rows are those that were written (see store/totals.rs).

CREATE TABLE life (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    mark   INTEGER NOT NULL,               -- of the present life, random; the life file has it too. 0: no life has begun
    age    INTEGER NOT NULL,               -- commits since life files exist
    before INTEGER,                        -- the number that an operator's word gives back to this file
    fault  TEXT,                           -- why it has lost that number: copied, older
    totals TEXT,                           -- of each other table, the sum of its rows' sums; none until the first start
    sum    INTEGER NOT NULL
) STRICT;
INSERT INTO life VALUES (1, 0, 0, NULL, NULL, NULL, hearth_sum(1, 0, 0, NULL, NULL, NULL));
