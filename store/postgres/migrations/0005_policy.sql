-- Policies, exceptions, verdicts, and what is due to be decided again. Every row is
-- of one tenant. Times are microseconds since 1970 by the database's clock.
CREATE SCHEMA policy;

-- A row for each tenant: who keeps a verdict shares its lock, who changes what
-- verdicts follow from takes it alone.
CREATE TABLE policy.locks (tenant_id text COLLATE "C" PRIMARY KEY, guard bigint NOT NULL DEFAULT 0);
-- Versions of policies: canonical JSON, and the text that it was read from.
CREATE TABLE policy.policies (
  tenant_id text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, version bigint NOT NULL, digest text COLLATE "C" NOT NULL, title text NOT NULL,
  body bytea NOT NULL, source bytea NOT NULL, by_whom text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, id, version));
-- Which policy is in force in an environment is what its newest row says.
CREATE TABLE policy.activations (
  tenant_id text COLLATE "C" NOT NULL, number bigint NOT NULL, environment text COLLATE "C" NOT NULL, policy_id text COLLATE "C" NOT NULL, version bigint NOT NULL, digest text COLLATE "C" NOT NULL,
  controls text NOT NULL, rollback bigint NOT NULL, by_whom text NOT NULL, reason text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, number));
CREATE INDEX activations_environment ON policy.activations (tenant_id, environment, number);
-- Exceptions as they were made, and what became of them. The request is a digest of
-- what was asked for.
CREATE TABLE policy.exceptions (
  tenant_id text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, request text NOT NULL, body text NOT NULL, expires_us bigint NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE TABLE policy.exception_events (
  tenant_id text COLLATE "C" NOT NULL, number bigint NOT NULL, id text COLLATE "C" NOT NULL, kind text NOT NULL CHECK (kind IN ('created', 'revoked', 'expired')),
  by_whom text NOT NULL, reason text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, number));
CREATE UNIQUE INDEX exception_events_once ON policy.exception_events (tenant_id, id, kind);

-- Verdicts by the digest of their inputs, with their traces, compressed with zstd:
-- the server need not try again.
CREATE TABLE policy.verdicts (
  tenant_id text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, digest text COLLATE "C" NOT NULL, trace_digest text NOT NULL, trace_size bigint NOT NULL,
  outcome text NOT NULL, body bytea NOT NULL, trace bytea NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, key));
ALTER TABLE policy.verdicts ALTER COLUMN trace SET STORAGE EXTERNAL;
-- Which verdicts there were about a scan: two of the same image may share one.
CREATE TABLE policy.decisions (
  tenant_id text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL, environment text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, cause text NOT NULL, at_us bigint NOT NULL, kept_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, environment, key));
CREATE INDEX decisions_key ON policy.decisions (tenant_id, key);
CREATE INDEX decisions_kept ON policy.decisions (tenant_id, scan_id, kept_us);
-- What holds now. An outcome "error" has no verdict: its key is empty.
CREATE TABLE policy.current (
  tenant_id text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL, environment text COLLATE "C" NOT NULL, key text NOT NULL, digest text NOT NULL, outcome text NOT NULL, because text NOT NULL,
  blocking text NOT NULL, blocked bigint NOT NULL, policy_id text NOT NULL, version bigint NOT NULL, at_us bigint NOT NULL, next_us bigint NOT NULL,
  marks text NOT NULL, changes bigint NOT NULL, changed_us bigint NOT NULL, kept_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, environment));
-- Which vulnerabilities, in upper case, the newest report about a scan has.
CREATE TABLE policy.watched (
  tenant_id text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, name, scan_id));
CREATE INDEX watched_scan ON policy.watched (tenant_id, scan_id);
-- When a scan is to be decided about again, and why. An empty scan stands for all
-- that have one of the names, or for all: such a row is worked off page by page. The
-- message is the one that tells of it, empty until it is sent.
CREATE TABLE policy.due (
  tenant_id text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL, due_us bigint NOT NULL, cause text COLLATE "C" NOT NULL, names text NOT NULL DEFAULT '', after text COLLATE "C" NOT NULL DEFAULT '',
  message text COLLATE "C" NOT NULL DEFAULT '', attempt bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, scan_id, due_us, cause));
CREATE INDEX due_waiting ON policy.due (tenant_id, due_us) WHERE message = '';

CREATE FUNCTION policy.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of %.% are never changed or deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
-- They go with the scans that they are about, and not before.
CREATE FUNCTION policy.refuse_while_needed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE needed bigint;
BEGIN
  IF TG_TABLE_NAME = 'verdicts' THEN
    SELECT count(*) INTO needed FROM policy.decisions d WHERE d.tenant_id = OLD.tenant_id AND d.key = OLD.key;
  ELSE
    SELECT count(*) INTO needed FROM scanner.scan_jobs j WHERE j.tenant_id = OLD.tenant_id AND j.job_id = OLD.scan_id AND j.status NOT IN ('completed', 'failed', 'cancelled', 'dead');
  END IF;
  IF needed > 0 THEN
    RAISE EXCEPTION 'rows of %.% that are needed are never deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN OLD;
END $$;
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['policies', 'activations', 'exceptions', 'exception_events', 'verdicts', 'decisions'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON policy.%I FOR EACH ROW EXECUTE FUNCTION policy.refuse()', t || '_update', t);
    EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON policy.%I FOR EACH ROW EXECUTE FUNCTION policy.%I()', t || '_delete', t,
      CASE WHEN t IN ('verdicts', 'decisions') THEN 'refuse_while_needed' ELSE 'refuse' END);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON policy.%I FOR EACH STATEMENT EXECUTE FUNCTION policy.refuse()', t || '_truncate', t);
    -- Also for a session that calls itself a replica.
    EXECUTE format('ALTER TABLE policy.%I ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I', t, t || '_update', t || '_delete', t || '_truncate');
  END LOOP;
END $$;

GRANT USAGE ON SCHEMA policy TO stella_app, stella_relay;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA policy TO stella_app;
GRANT UPDATE (guard) ON policy.locks TO stella_app;
GRANT UPDATE, DELETE ON policy.current, policy.watched, policy.due TO stella_app;
GRANT DELETE ON policy.verdicts, policy.decisions TO stella_app;
GRANT SELECT (tenant_id) ON policy.locks TO stella_relay;
GRANT SELECT (tenant_id, due_us, message) ON policy.due TO stella_relay;
DO $$
DECLARE t regclass;
BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'policy' LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %s TO stella_app USING (tenant_id = (SELECT transport.tenant())) WITH CHECK (tenant_id = (SELECT transport.tenant()))', t);
  END LOOP;
END $$;
CREATE POLICY relay ON policy.locks FOR SELECT TO stella_relay USING (true);
CREATE POLICY relay ON policy.due FOR SELECT TO stella_relay USING (true);
-- Who keeps a verdict shares the lock of the public head of VEX, so that whoever
-- tells whom the next head concerns finds the verdict. Nothing can be changed so: the
-- new row would have to be the tenant's, and its tenant cannot be set.
REVOKE UPDATE ON vex.scopes FROM stella_app;
GRANT UPDATE (head, trust) ON vex.scopes TO stella_app;
CREATE POLICY share ON vex.scopes FOR UPDATE TO stella_app USING (tenant_id = '') WITH CHECK (false);
-- The row is there before anybody needs its lock.
ALTER TABLE vex.scopes NO FORCE ROW LEVEL SECURITY;
INSERT INTO vex.scopes (tenant_id, head, trust) VALUES ('', 0, '') ON CONFLICT (tenant_id) DO NOTHING;
ALTER TABLE vex.scopes FORCE ROW LEVEL SECURITY;
