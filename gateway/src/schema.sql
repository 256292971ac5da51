-- One replica's file, version 1 (PRAGMA user_version). WAL, synchronous = FULL.
-- Times are milliseconds since the Unix epoch, as agreed in the log; states are as they were said.

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
    value   BLOB    NOT NULL               -- a version byte, and a batch of requests or a no-op
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

-- References are checked at the commit, so that a snapshot's rows may come in any order.

-- Whatever apply knows that is one value: sequence counters, agreed settings, presence.
CREATE TABLE house (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE gateways (
    gateway     INTEGER PRIMARY KEY,
    serves      INTEGER NOT NULL,
    alive       INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    caches      INTEGER NOT NULL
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
    zone       TEXT    NOT NULL REFERENCES zones DEFERRABLE INITIALLY DEFERRED,
    name       TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    registered INTEGER NOT NULL,           -- time
    orders     INTEGER NOT NULL,           -- number of its last order
    cached     INTEGER NOT NULL,           -- whether an owner with a cache ever wrote it
    UNIQUE (zone, name)
) STRICT;

-- The current status: both registers of every device. seq is 0 until the first change.
CREATE TABLE status (
    node     INTEGER PRIMARY KEY REFERENCES devices DEFERRABLE INITIALLY DEFERRED,
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
    node     INTEGER NOT NULL REFERENCES devices DEFERRABLE INITIALLY DEFERRED,
    register TEXT    NOT NULL CHECK (register IN ('state', 'desired')),
    value    TEXT    NOT NULL,
    ordered  INTEGER,                      -- number of the order that this is, or that it fulfils
    clock    INTEGER NOT NULL,
    owner    INTEGER NOT NULL,             -- the gateway that proposed it
    note     TEXT                          -- what a rule concluded: USER ENTERED, Turning on Lights. …
) STRICT;

-- Without it, the history of one device would be a search through that of all.
CREATE INDEX history_of_node ON history (node);

-- Orders that no report has fulfilled yet: one of a device at most. When it expires is a timer.
CREATE TABLE orders (
    node   INTEGER PRIMARY KEY REFERENCES devices DEFERRABLE INITIALLY DEFERRED,
    number INTEGER NOT NULL,
    state  TEXT    NOT NULL,
    clock  INTEGER NOT NULL
) STRICT;

-- Timers that the leader proposes when they are due; a generation fires once.
CREATE TABLE timers (
    name       TEXT PRIMARY KEY,           -- close-door/<node>, drop-order/<node>
    generation INTEGER NOT NULL,
    due        INTEGER NOT NULL            -- time
) STRICT, WITHOUT ROWID;

-- What was applied lately, by the payload's id or by the broker's stamp, so that it is applied once.
CREATE TABLE seen (
    zone    TEXT    NOT NULL,
    key     TEXT    NOT NULL,              -- id/<device>/<id>, stamp/<broker>/<incarnation>/<counter>
    at      INTEGER NOT NULL,              -- place in the zone's order of arrival; the oldest are forgotten
    node    INTEGER NOT NULL,              -- what it led to, to answer a repeated request alike
    seq     INTEGER NOT NULL,
    ordered INTEGER,
    PRIMARY KEY (zone, key)
) STRICT, WITHOUT ROWID;
