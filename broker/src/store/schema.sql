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
    client   TEXT    PRIMARY KEY,
    user     TEXT,                         -- whose it is; none: there are no users
    expiry   INTEGER NOT NULL,             -- seconds it outlives its connection; 4294967295 is for ever
    ends     INTEGER,                      -- none: it is connected, or lasts for ever
    received BLOB    NOT NULL DEFAULT x''  -- QoS 2 ids of the client that it has not released, two bytes each
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

-- QoS 1 and 2 messages that wait for sessions. Each stands here once, whoever waits for it.
CREATE TABLE messages (
    id         INTEGER PRIMARY KEY,        -- later messages have higher numbers
    topic      TEXT    NOT NULL,
    payload    BLOB    NOT NULL,
    qos        INTEGER NOT NULL,
    properties BLOB    NOT NULL,
    expires    INTEGER
) STRICT;

CREATE TABLE waiting (
    client      TEXT    NOT NULL,
    number      INTEGER NOT NULL,          -- the order in which they are sent
    message     INTEGER NOT NULL,
    qos         INTEGER NOT NULL,
    flags       INTEGER NOT NULL,          -- 1: retain, 2: from the retained messages, 4: the client has it (PUBREC)
    identifiers BLOB    NOT NULL,          -- of subscriptions, four bytes each
    pid         INTEGER,                   -- none: it was not sent yet
    PRIMARY KEY (client, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX waiting_message ON waiting (message);

CREATE TRIGGER nobody_waits AFTER DELETE ON waiting
WHEN NOT EXISTS (SELECT 1 FROM waiting WHERE message = old.message)
BEGIN
    DELETE FROM messages WHERE id = old.message;
END;
