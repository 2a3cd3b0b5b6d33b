-- The record of each transparency log that is replaced whole; see package attest/tlog.
-- What it points to are files. It belongs to no tenant.
CREATE TABLE attest_logs (
  name text NOT NULL PRIMARY KEY, record blob NOT NULL, number integer NOT NULL DEFAULT 1, at_us integer NOT NULL);
CREATE TRIGGER attest_logs_update BEFORE UPDATE ON attest_logs WHEN NEW.name != OLD.name OR NEW.number != OLD.number + 1
BEGIN SELECT RAISE(ABORT, 'the head of a log is replaced by its successor alone'); END;
CREATE TRIGGER attest_logs_delete BEFORE DELETE ON attest_logs
BEGIN SELECT RAISE(ABORT, 'the head of a log is never deleted'); END;
