-- One replica's file, version 1 (PRAGMA user_version). WAL, synchronous = FULL.
-- Times are milliseconds since the Unix epoch, as agreed in the log; states are canonical texts.

-- Paxos: what must survive for this replica to vote (see paxos::Record).
CREATE TABLE acceptor (
    id               INTEGER PRIMARY KEY CHECK (id = 1),
    promised_round   INTEGER NOT NULL,
    promised_gateway INTEGER NOT NULL,
    chosen           INTEGER NOT NULL      -- every slot up to here is known to be chosen
) STRICT;

CREATE TABLE log (
    slot    INTEGER PRIMARY KEY,
    round   INTEGER NOT NULL,              -- the ballot under which this replica accepted
    gateway INTEGER NOT NULL,
    value   BLOB    NOT NULL               -- a batch of requests, or a no-op
) STRICT;

-- This replica: site, gateway, incarnation, and the slot up to which the tables below are applied.
CREATE TABLE replica (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    site        TEXT    NOT NULL,
    gateway     INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    applied     INTEGER NOT NULL
) STRICT;

-- From here on: the replicated state. These tables are equal on all replicas at equal `applied`.

-- Whatever apply knows that is one value: sequence counters, agreed settings, presence.
CREATE TABLE house (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE gateways (
    gateway     INTEGER PRIMARY KEY,
    serves      INTEGER NOT NULL,
    alive       INTEGER NOT NULL,
    incarnation INTEGER NOT NULL
) STRICT;

CREATE TABLE zones (
    zone  TEXT PRIMARY KEY,
    owner INTEGER NOT NULL,
    home  INTEGER NOT NULL,                -- the gateway that it was placed on
    epoch INTEGER NOT NULL,
    next  INTEGER NOT NULL                 -- number of the next proposal that this epoch may apply
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    node       INTEGER PRIMARY KEY,        -- node id, from 2
    zone       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    registered INTEGER NOT NULL,           -- time
    orders     INTEGER NOT NULL,           -- number of its last order
    UNIQUE (zone, name)
) STRICT;

-- The current status: both registers of every device.
CREATE TABLE status (
    node     INTEGER PRIMARY KEY,
    time     INTEGER NOT NULL,             -- of the last change
    seq      INTEGER NOT NULL,             -- of the last change
    clock    INTEGER NOT NULL,             -- Lamport clock of the last change
    state    TEXT,                         -- last agreed report
    desired  TEXT,                         -- last agreed order
    ordered  INTEGER                       -- its number
) STRICT;

-- Every agreed change, numbered without holes.
CREATE TABLE history (
    seq      INTEGER PRIMARY KEY,
    time     INTEGER NOT NULL,
    node     INTEGER NOT NULL,
    register TEXT    NOT NULL CHECK (register IN ('state', 'desired')),
    value    TEXT    NOT NULL,
    ordered  INTEGER,                      -- number of the order that this is, or that it fulfils
    clock    INTEGER NOT NULL,
    owner    INTEGER NOT NULL,             -- the gateway that proposed it
    note     TEXT                          -- what a rule concluded: USER ENTERED, Turning on Lights. …
) STRICT;

-- Orders that no report has fulfilled yet.
CREATE TABLE orders (
    node    INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    state   TEXT    NOT NULL,
    clock   INTEGER NOT NULL,
    expires INTEGER,                       -- time
    PRIMARY KEY (node, number)
) STRICT, WITHOUT ROWID;

-- Timers that the leader proposes when they are due; a generation fires once.
CREATE TABLE timers (
    name       TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    due        INTEGER NOT NULL            -- time
) STRICT, WITHOUT ROWID;

-- What was applied lately, by the payload's id or by the broker's stamp, so that it is applied once.
CREATE TABLE seen (
    key     TEXT PRIMARY KEY,
    at      INTEGER NOT NULL,              -- order of arrival; the oldest are forgotten
    outcome TEXT NOT NULL                  -- JSON, to answer a repeated request alike
) STRICT, WITHOUT ROWID;
