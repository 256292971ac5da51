-- Version 2: wills.

CREATE TABLE wills (
    client     TEXT    PRIMARY KEY,
    user       TEXT,                       -- whose it is; none: there are no users
    topic      TEXT    NOT NULL,
    payload    BLOB    NOT NULL,
    qos        INTEGER NOT NULL,
    retain     INTEGER NOT NULL,           -- 0 or 1
    properties BLOB    NOT NULL,
    expiry     INTEGER,                    -- seconds that the message has from its publication; none: for ever
    delay      INTEGER NOT NULL,           -- seconds
    due        INTEGER                     -- none: its client was there to the end
) STRICT, WITHOUT ROWID;
