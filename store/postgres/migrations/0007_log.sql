-- The record of each transparency log that is replaced whole; see package attest/tlog.
-- What it points to are files. It belongs to no tenant.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stella_attestor') THEN
    CREATE ROLE stella_attestor NOLOGIN;
  END IF;
END $$;
CREATE TABLE attest.logs (
  name text COLLATE "C" NOT NULL PRIMARY KEY, record bytea NOT NULL, number bigint NOT NULL DEFAULT 1, at_us bigint NOT NULL);
CREATE FUNCTION attest.only_successor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.name = OLD.name AND NEW.number = OLD.number + 1 THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'the head of a log is replaced by its successor alone, and never deleted' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER logs_change BEFORE UPDATE OR DELETE ON attest.logs FOR EACH ROW EXECUTE FUNCTION attest.only_successor();
CREATE TRIGGER logs_truncate BEFORE TRUNCATE ON attest.logs FOR EACH STATEMENT EXECUTE FUNCTION attest.only_successor();
ALTER TABLE attest.logs ENABLE ALWAYS TRIGGER logs_change, ENABLE ALWAYS TRIGGER logs_truncate;
GRANT USAGE ON SCHEMA attest TO stella_attestor;
GRANT SELECT, INSERT ON attest.logs TO stella_attestor;
GRANT UPDATE (record, number, at_us) ON attest.logs TO stella_attestor;
ALTER TABLE attest.logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE attest.logs FORCE ROW LEVEL SECURITY;
CREATE POLICY attestor ON attest.logs TO stella_attestor USING (true) WITH CHECK (true);
