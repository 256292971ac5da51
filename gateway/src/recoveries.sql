-- Version 7 (PRAGMA user_version): that a site went on with one voter after the others were lost for ever (see
-- store/recovery.rs). The newest row is the site's generation; without one it is 0.

CREATE TABLE recoveries (
    generation INTEGER PRIMARY KEY,
    time       INTEGER NOT NULL,           -- wall clock
    struck     TEXT    NOT NULL,           -- numbers of the gateways that lost their votes; empty where only heard of
    sum        INTEGER NOT NULL
) STRICT;
