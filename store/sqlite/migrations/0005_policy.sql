-- Policies, exceptions, verdicts, and what is due to be decided again. Every row is
-- of one tenant. Times are microseconds since 1970 by this machine's clock.
-- A row for each tenant: who keeps a verdict shares its lock, who changes what
-- verdicts follow from takes it alone.
CREATE TABLE policy_locks (tenant_id text PRIMARY KEY, guard integer NOT NULL DEFAULT 0);
-- Versions of policies: canonical JSON, and the text that it was read from.
CREATE TABLE policy_policies (
  tenant_id text NOT NULL, id text NOT NULL, version integer NOT NULL, digest text NOT NULL, title text NOT NULL,
  body blob NOT NULL, source blob NOT NULL, by_whom text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, id, version));
-- Which policy is in force in an environment is what its newest row says.
CREATE TABLE policy_activations (
  tenant_id text NOT NULL, number integer NOT NULL, environment text NOT NULL, policy_id text NOT NULL, version integer NOT NULL, digest text NOT NULL,
  controls text NOT NULL, rollback integer NOT NULL, by_whom text NOT NULL, reason text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, number));
CREATE INDEX policy_activations_environment ON policy_activations (tenant_id, environment, number);
-- Exceptions as they were made, and what became of them. The request is a digest of
-- what was asked for.
CREATE TABLE policy_exceptions (
  tenant_id text NOT NULL, id text NOT NULL, request text NOT NULL, body text NOT NULL, expires_us integer NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE TABLE policy_exception_events (
  tenant_id text NOT NULL, number integer NOT NULL, id text NOT NULL, kind text NOT NULL CHECK (kind IN ('created', 'revoked', 'expired')),
  by_whom text NOT NULL, reason text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, number));
CREATE UNIQUE INDEX policy_exception_events_once ON policy_exception_events (tenant_id, id, kind);

-- Verdicts by the digest of their inputs, with their traces, compressed with zstd.
CREATE TABLE policy_verdicts (
  tenant_id text NOT NULL, key text NOT NULL, digest text NOT NULL, trace_digest text NOT NULL, trace_size integer NOT NULL,
  outcome text NOT NULL, body blob NOT NULL, trace blob NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, key));
-- Which verdicts there were about a scan: two of the same image may share one.
CREATE TABLE policy_decisions (
  tenant_id text NOT NULL, scan_id text NOT NULL, environment text NOT NULL, key text NOT NULL, cause text NOT NULL, at_us integer NOT NULL, kept_us integer NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, environment, key));
CREATE INDEX policy_decisions_key ON policy_decisions (tenant_id, key);
CREATE INDEX policy_decisions_kept ON policy_decisions (tenant_id, scan_id, kept_us);
-- What holds now. An outcome "error" has no verdict: its key is empty.
CREATE TABLE policy_current (
  tenant_id text NOT NULL, scan_id text NOT NULL, environment text NOT NULL, key text NOT NULL, digest text NOT NULL, outcome text NOT NULL, because text NOT NULL,
  blocking text NOT NULL, blocked integer NOT NULL, policy_id text NOT NULL, version integer NOT NULL, at_us integer NOT NULL, next_us integer NOT NULL,
  marks text NOT NULL, changes integer NOT NULL, changed_us integer NOT NULL, kept_us integer NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, environment));
-- Which vulnerabilities, in upper case, the newest report about a scan has.
CREATE TABLE policy_watched (
  tenant_id text NOT NULL, name text NOT NULL, scan_id text NOT NULL,
  PRIMARY KEY (tenant_id, name, scan_id)) WITHOUT ROWID;
CREATE INDEX policy_watched_scan ON policy_watched (tenant_id, scan_id);
-- When a scan is to be decided about again, and why. An empty scan stands for all
-- that have one of the names, or for all: such a row is worked off page by page. The
-- message is the one that tells of it, empty until it is sent.
CREATE TABLE policy_due (
  tenant_id text NOT NULL, scan_id text NOT NULL, due_us integer NOT NULL, cause text NOT NULL, names text NOT NULL DEFAULT '', after text NOT NULL DEFAULT '',
  message text NOT NULL DEFAULT '', attempt integer NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, scan_id, due_us, cause));
CREATE INDEX policy_due_waiting ON policy_due (tenant_id, due_us) WHERE message = '';

CREATE TRIGGER policy_policies_update BEFORE UPDATE ON policy_policies BEGIN SELECT RAISE(ABORT, 'policies are never changed'); END;
CREATE TRIGGER policy_policies_delete BEFORE DELETE ON policy_policies BEGIN SELECT RAISE(ABORT, 'policies are never deleted'); END;
CREATE TRIGGER policy_activations_update BEFORE UPDATE ON policy_activations BEGIN SELECT RAISE(ABORT, 'activations are never changed'); END;
CREATE TRIGGER policy_activations_delete BEFORE DELETE ON policy_activations BEGIN SELECT RAISE(ABORT, 'activations are never deleted'); END;
CREATE TRIGGER policy_exceptions_update BEFORE UPDATE ON policy_exceptions BEGIN SELECT RAISE(ABORT, 'exceptions are never changed'); END;
CREATE TRIGGER policy_exceptions_delete BEFORE DELETE ON policy_exceptions BEGIN SELECT RAISE(ABORT, 'exceptions are never deleted'); END;
CREATE TRIGGER policy_exception_events_update BEFORE UPDATE ON policy_exception_events BEGIN SELECT RAISE(ABORT, 'events of exceptions are never changed'); END;
CREATE TRIGGER policy_exception_events_delete BEFORE DELETE ON policy_exception_events BEGIN SELECT RAISE(ABORT, 'events of exceptions are never deleted'); END;
CREATE TRIGGER policy_verdicts_update BEFORE UPDATE ON policy_verdicts BEGIN SELECT RAISE(ABORT, 'verdicts are never changed'); END;
CREATE TRIGGER policy_decisions_update BEFORE UPDATE ON policy_decisions BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;
-- They go with the scans that they are about, and not before.
CREATE TRIGGER policy_verdicts_delete BEFORE DELETE ON policy_verdicts
  WHEN EXISTS (SELECT 1 FROM policy_decisions d WHERE d.tenant_id = OLD.tenant_id AND d.key = OLD.key)
BEGIN SELECT RAISE(ABORT, 'verdicts that are referred to are never deleted'); END;
CREATE TRIGGER policy_decisions_delete BEFORE DELETE ON policy_decisions
  WHEN EXISTS (SELECT 1 FROM scanner_scan_jobs j WHERE j.tenant_id = OLD.tenant_id AND j.job_id = OLD.scan_id AND j.status NOT IN ('completed', 'failed', 'cancelled', 'dead'))
BEGIN SELECT RAISE(ABORT, 'decisions about scans that have not ended are never deleted'); END;
-- The row is there before anybody needs its lock.
INSERT INTO vex_scopes (tenant_id, head, trust) VALUES ('', 0, '') ON CONFLICT (tenant_id) DO NOTHING;
