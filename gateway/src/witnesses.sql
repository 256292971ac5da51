-- Version 6 (PRAGMA user_version): what this replica remembers of the other gateways' files, so that one that was put
-- back to an older state is told so (see gateway-core's consensus/standing.rs).

CREATE TABLE witnesses (
    replica INTEGER PRIMARY KEY,           -- gateway number and the number of its file, as in table voters
    life    INTEGER NOT NULL,              -- the life that used the file last, random
    age     INTEGER NOT NULL,              -- how many commits there were in it
    sum     INTEGER NOT NULL
) STRICT;
