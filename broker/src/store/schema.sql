-- One broker's file, version 1 (PRAGMA user_version). WAL, synchronous = NORMAL, a checkpoint every second.
-- Times are milliseconds since the Unix epoch.

CREATE TABLE broker (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    incarnation INTEGER NOT NULL,          -- of the newest life; later ones have higher numbers
    gateways    TEXT    NOT NULL           -- the site whose gateways have been here, or ''
) STRICT;

CREATE TABLE retained (
    topic      TEXT    PRIMARY KEY,
    payload    BLOB    NOT NULL,
    qos        INTEGER NOT NULL,
    properties BLOB    NOT NULL,           -- those that travel with a message, as in MQTT 5
    expires    INTEGER                     -- none: never
) STRICT, WITHOUT ROWID;

CREATE INDEX retained_expires ON retained (expires) WHERE expires IS NOT NULL;

CREATE TABLE sessions (
    client TEXT    PRIMARY KEY,
    expiry INTEGER NOT NULL,               -- seconds it outlives its connection; 4294967295 is for ever
    ends   INTEGER                         -- none: it is connected, or lasts for ever
) STRICT, WITHOUT ROWID;

-- In the order of their rowids, the oldest first.
CREATE TABLE subscriptions (
    client     TEXT    NOT NULL,
    filter     TEXT    NOT NULL,
    qos        INTEGER NOT NULL,
    options    INTEGER NOT NULL,           -- 1: no local, 2: retain as published
    identifier INTEGER,
    PRIMARY KEY (client, filter)
) STRICT;
