-- What suppliers say about vulnerabilities in products, and what is decided. Every
-- row is of a tenant, or of '' for what is public. Times are microseconds since
-- 1970 by this machine's clock, digests the 32 bytes of a SHA-256 but for texts
-- that begin "sha256:".
-- Raw documents by digest, compressed with zstd.
CREATE TABLE vex_contents (
  tenant_id text NOT NULL, digest blob NOT NULL, size integer NOT NULL, body blob NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, digest));
-- A revision of a document is current from one run on to before another; 0 is none yet.
CREATE TABLE vex_documents (
  seq integer PRIMARY KEY AUTOINCREMENT, tenant_id text NOT NULL, source text NOT NULL, name text NOT NULL,
  from_run integer NOT NULL, to_run integer NOT NULL DEFAULT 0, digest blob NOT NULL, proof blob NOT NULL, url text NOT NULL, at_us integer NOT NULL,
  state integer NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)), -- pending, read, quarantined
  problem_count integer NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX vex_documents_current ON vex_documents (tenant_id, source, name) WHERE to_run = 0;
CREATE INDEX vex_documents_digest ON vex_documents (tenant_id, digest);
-- What came of reading a document, each time that somebody did. The payload is the
-- digest of the bytes that were read.
CREATE TABLE vex_readings (
  seq integer PRIMARY KEY AUTOINCREMENT, tenant_id text NOT NULL, document integer NOT NULL, source text NOT NULL, name text NOT NULL,
  run integer NOT NULL, at_us integer NOT NULL, payload blob NOT NULL, id text NOT NULL, version text NOT NULL,
  signature text NOT NULL, signer text NOT NULL, why text NOT NULL, quarantined text NOT NULL, problem_count integer NOT NULL, problems text NOT NULL);
CREATE INDEX vex_readings_document ON vex_readings (tenant_id, document, seq);
CREATE INDEX vex_readings_name ON vex_readings (tenant_id, source, name, seq);
CREATE INDEX vex_readings_payload ON vex_readings (tenant_id, payload);
-- A statement as one document makes it, while the document does. safe says that it
-- lowers risk; claim is a digest of what it is about, as of when, in a document of
-- which id and version, empty without an id. One that never was in force ends as it
-- begins.
CREATE TABLE vex_observations (
  seq integer PRIMARY KEY AUTOINCREMENT, tenant_id text NOT NULL, source text NOT NULL, document text NOT NULL, statement blob NOT NULL,
  from_run integer NOT NULL, to_run integer NOT NULL DEFAULT 0, safe integer NOT NULL, payload blob NOT NULL, claim blob NOT NULL, body blob NOT NULL);
CREATE UNIQUE INDEX vex_observations_current ON vex_observations (tenant_id, source, document, statement) WHERE to_run = 0;
CREATE INDEX vex_observations_statement ON vex_observations (tenant_id, statement, seq);
CREATE INDEX vex_observations_claim ON vex_observations (tenant_id, claim, safe) WHERE claim <> x'';
CREATE INDEX vex_observations_begun ON vex_observations (tenant_id, source, from_run);
CREATE INDEX vex_observations_ended ON vex_observations (tenant_id, source, to_run) WHERE to_run > 0;
-- Which vulnerabilities a statement names, in upper case.
CREATE TABLE vex_names (
  tenant_id text NOT NULL, name text NOT NULL, statement blob NOT NULL,
  PRIMARY KEY (tenant_id, name, statement));
CREATE INDEX vex_names_statement ON vex_names (tenant_id, statement);

CREATE TABLE vex_runs (
  number integer PRIMARY KEY AUTOINCREMENT, tenant_id text NOT NULL, source text NOT NULL, holder text NOT NULL, epoch integer NOT NULL,
  began_us integer NOT NULL, ended_us integer NOT NULL DEFAULT 0,
  outcome text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'released', 'failed', 'abandoned')), why text NOT NULL DEFAULT '');
CREATE TABLE vex_sources (
  tenant_id text NOT NULL, name text NOT NULL, epoch integer NOT NULL, holder text NOT NULL, until_us integer NOT NULL, run integer NOT NULL, state blob,
  released integer NOT NULL DEFAULT 0, documents integer NOT NULL DEFAULT 0, statements integer NOT NULL DEFAULT 0,
  quarantined integer NOT NULL DEFAULT 0, problems integer NOT NULL DEFAULT 0,
  succeeded_us integer NOT NULL DEFAULT 0, failed_us integer NOT NULL DEFAULT 0, cause text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, name));

-- Whom an organisation believes, and since when.
CREATE TABLE vex_trusts (
  tenant_id text NOT NULL, digest text NOT NULL, body text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, digest));
CREATE TABLE vex_trust_changes (
  seq integer PRIMARY KEY AUTOINCREMENT, tenant_id text NOT NULL, digest text NOT NULL, by_whom text NOT NULL, at_us integer NOT NULL);
CREATE TABLE vex_heads (
  tenant_id text NOT NULL, number integer NOT NULL, digest text NOT NULL, trust text NOT NULL, runs text NOT NULL, at_us integer NOT NULL);
CREATE INDEX vex_heads_digest ON vex_heads (tenant_id, digest);
-- Which object of the bucket a set of statements is.
CREATE TABLE vex_snapshots (
  tenant_id text NOT NULL, digest text NOT NULL, object text NOT NULL, size integer NOT NULL, chunks blob NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, digest));
-- The newest head and the trust in force, in one row: who changes either has its lock.
CREATE TABLE vex_scopes (tenant_id text NOT NULL PRIMARY KEY, head integer NOT NULL, trust text NOT NULL);
-- What is decided as of the newest head, and every change with the head that made
-- it; an empty body says that nothing is decided any more.
CREATE TABLE vex_consensus (
  tenant_id text NOT NULL, key blob NOT NULL, vulnerability text NOT NULL, product text NOT NULL,
  head integer NOT NULL, next_us integer NOT NULL, body text NOT NULL,
  PRIMARY KEY (tenant_id, key));
CREATE INDEX vex_consensus_vulnerability ON vex_consensus (tenant_id, vulnerability);
CREATE INDEX vex_consensus_next ON vex_consensus (tenant_id, next_us) WHERE next_us > 0;
CREATE TABLE vex_decisions (
  tenant_id text NOT NULL, head integer NOT NULL, n integer NOT NULL, vulnerability text NOT NULL, product text NOT NULL, body text NOT NULL,
  PRIMARY KEY (tenant_id, head, n));
CREATE INDEX vex_decisions_vulnerability ON vex_decisions (tenant_id, vulnerability, head);

-- What was written stays as it was, but that a row is ended, and a run, each once.
CREATE TRIGGER vex_contents_update BEFORE UPDATE ON vex_contents BEGIN SELECT RAISE(ABORT, 'contents are never changed'); END;
CREATE TRIGGER vex_contents_delete BEFORE DELETE ON vex_contents BEGIN SELECT RAISE(ABORT, 'contents are never deleted'); END;
CREATE TRIGGER vex_readings_update BEFORE UPDATE ON vex_readings BEGIN SELECT RAISE(ABORT, 'readings are never changed'); END;
CREATE TRIGGER vex_readings_delete BEFORE DELETE ON vex_readings BEGIN SELECT RAISE(ABORT, 'readings are never deleted'); END;
CREATE TRIGGER vex_names_update BEFORE UPDATE ON vex_names BEGIN SELECT RAISE(ABORT, 'names are never changed'); END;
CREATE TRIGGER vex_names_delete BEFORE DELETE ON vex_names BEGIN SELECT RAISE(ABORT, 'names are never deleted'); END;
CREATE TRIGGER vex_trusts_update BEFORE UPDATE ON vex_trusts BEGIN SELECT RAISE(ABORT, 'trusts are never changed'); END;
CREATE TRIGGER vex_trusts_delete BEFORE DELETE ON vex_trusts BEGIN SELECT RAISE(ABORT, 'trusts are never deleted'); END;
CREATE TRIGGER vex_trust_changes_update BEFORE UPDATE ON vex_trust_changes BEGIN SELECT RAISE(ABORT, 'changes of trust are never changed'); END;
CREATE TRIGGER vex_trust_changes_delete BEFORE DELETE ON vex_trust_changes BEGIN SELECT RAISE(ABORT, 'changes of trust are never deleted'); END;
CREATE TRIGGER vex_heads_update BEFORE UPDATE ON vex_heads BEGIN SELECT RAISE(ABORT, 'heads are never changed'); END;
CREATE TRIGGER vex_heads_delete BEFORE DELETE ON vex_heads BEGIN SELECT RAISE(ABORT, 'heads are never deleted'); END;
CREATE TRIGGER vex_snapshots_update BEFORE UPDATE ON vex_snapshots BEGIN SELECT RAISE(ABORT, 'snapshots are never changed'); END;
CREATE TRIGGER vex_snapshots_delete BEFORE DELETE ON vex_snapshots BEGIN SELECT RAISE(ABORT, 'snapshots are never deleted'); END;
CREATE TRIGGER vex_decisions_update BEFORE UPDATE ON vex_decisions BEGIN SELECT RAISE(ABORT, 'decisions are never changed'); END;
CREATE TRIGGER vex_decisions_delete BEFORE DELETE ON vex_decisions BEGIN SELECT RAISE(ABORT, 'decisions are never deleted'); END;
CREATE TRIGGER vex_documents_update BEFORE UPDATE OF seq, tenant_id, source, name, from_run, digest, proof, url, at_us ON vex_documents
BEGIN SELECT RAISE(ABORT, 'documents are never changed'); END;
CREATE TRIGGER vex_documents_end BEFORE UPDATE OF to_run ON vex_documents WHEN OLD.to_run <> 0 OR NEW.to_run < OLD.from_run
BEGIN SELECT RAISE(ABORT, 'a document can only be ended once'); END;
CREATE TRIGGER vex_documents_read BEFORE UPDATE OF state, problem_count ON vex_documents WHEN NEW.state = 0
BEGIN SELECT RAISE(ABORT, 'a document can only be read once'); END;
CREATE TRIGGER vex_documents_delete BEFORE DELETE ON vex_documents BEGIN SELECT RAISE(ABORT, 'documents are never deleted'); END;
CREATE TRIGGER vex_observations_update BEFORE UPDATE OF seq, tenant_id, source, document, statement, from_run, safe, payload, claim, body ON vex_observations
BEGIN SELECT RAISE(ABORT, 'observations are never changed'); END;
CREATE TRIGGER vex_observations_end BEFORE UPDATE OF to_run ON vex_observations WHEN OLD.to_run <> 0 OR NEW.to_run < OLD.from_run
BEGIN SELECT RAISE(ABORT, 'an observation can only be ended once'); END;
CREATE TRIGGER vex_observations_delete BEFORE DELETE ON vex_observations BEGIN SELECT RAISE(ABORT, 'observations are never deleted'); END;
CREATE TRIGGER vex_runs_update BEFORE UPDATE OF number, tenant_id, source, holder, epoch, began_us ON vex_runs BEGIN SELECT RAISE(ABORT, 'runs are never changed'); END;
CREATE TRIGGER vex_runs_end BEFORE UPDATE OF ended_us, outcome, why ON vex_runs WHEN OLD.ended_us <> 0
BEGIN SELECT RAISE(ABORT, 'a run can only be ended once'); END;
CREATE TRIGGER vex_runs_delete BEFORE DELETE ON vex_runs BEGIN SELECT RAISE(ABORT, 'runs are never deleted'); END;

-- Whose verdicts follow from it is always told.
INSERT INTO transport_groups (topic, group_name, types) VALUES ('excititor:deltas', 'policy', ' vex.delta ')
  ON CONFLICT (topic, group_name) DO NOTHING;
