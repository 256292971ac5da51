-- Version 3: whose retained messages are, so that they stay on his account.

ALTER TABLE retained ADD COLUMN owner TEXT;    -- none: there are no users, or it is not known
