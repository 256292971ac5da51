-- Version 4 (PRAGMA user_version): every row has a sum of its other columns, in their order (see store/sums.rs).

ALTER TABLE acceptor ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE acceptor SET sum = hearth_sum(id, promised_round, promised_gateway, chosen, founders);
ALTER TABLE log ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE log SET sum = hearth_sum(slot, round, gateway, value);
ALTER TABLE replica ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE replica SET sum = hearth_sum(id, site, gateway, incarnation, applied, disk, inode, born);
ALTER TABLE house ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE house SET sum = hearth_sum(name, value);
ALTER TABLE voters ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE voters SET sum = hearth_sum(gateway, replica);
ALTER TABLE gateways ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE gateways SET sum = hearth_sum(gateway, serves, alive, incarnation, caches);
ALTER TABLE zones ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE zones SET sum = hearth_sum(zone, owner, home, epoch, next);
ALTER TABLE devices ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE devices SET sum = hearth_sum(node, zone, name, kind, registered, orders, cached);
ALTER TABLE status ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE status SET sum = hearth_sum(node, time, seq, clock, state, desired, ordered);
ALTER TABLE history ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE history SET sum = hearth_sum(seq, time, node, register, value, ordered, clock, owner, note);
ALTER TABLE orders ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE orders SET sum = hearth_sum(node, number, state, clock);
ALTER TABLE timers ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE timers SET sum = hearth_sum(name, generation, due);
ALTER TABLE seen ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
UPDATE seen SET sum = hearth_sum(zone, key, at, node, seq, ordered);
