-- What sources publish, what it says, and the heads that are made of it. Times
-- are microseconds since 1970 by this machine's clock, digests the 32 bytes of a
-- SHA-256 but for texts that begin "sha256:".

-- Many small texts together, compressed with zstd.
CREATE TABLE vuln_packs (seq integer PRIMARY KEY AUTOINCREMENT, size integer NOT NULL, body blob NOT NULL);
-- Raw documents: size bytes of a pack, or, where pack is 0, an object of the bucket.
CREATE TABLE vuln_contents (
  digest blob PRIMARY KEY, pack integer NOT NULL, at integer NOT NULL, size integer NOT NULL, chunks blob NOT NULL) WITHOUT ROWID;
-- A revision of a document is current from one run on to before another; 0 is none yet.
CREATE TABLE vuln_documents (
  seq integer PRIMARY KEY AUTOINCREMENT, source text NOT NULL, name text NOT NULL,
  revision integer NOT NULL, -- 1 for one that replaced none
  from_run integer NOT NULL, to_run integer NOT NULL DEFAULT 0, digest blob NOT NULL, url text NOT NULL,
  signature text NOT NULL, signer text NOT NULL, fetched_us integer NOT NULL,
  state integer NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)), -- pending, parsed, quarantined
  problem_count integer NOT NULL DEFAULT 0, problems text NOT NULL DEFAULT '');
CREATE UNIQUE INDEX documents_current ON vuln_documents (source, name, to_run) WHERE to_run = 0;
CREATE INDEX documents_problems ON vuln_documents (source) WHERE to_run = 0 AND (state = 2 OR problem_count > 0);
-- Which parts of a snapshot observations belong to.
CREATE TABLE vuln_groups (
  id integer PRIMARY KEY AUTOINCREMENT, source text NOT NULL, database text NOT NULL, ecosystems text NOT NULL,
  UNIQUE (source, database, ecosystems));
-- A record as one document states it, while the document does.
CREATE TABLE vuln_observations (
  seq integer PRIMARY KEY AUTOINCREMENT, source text NOT NULL, document text NOT NULL, record text NOT NULL,
  group_id integer NOT NULL, from_run integer NOT NULL, to_run integer NOT NULL DEFAULT 0,
  digest blob NOT NULL, pack integer NOT NULL, at integer NOT NULL, size integer NOT NULL,
  withdrawn integer NOT NULL, affected integer NOT NULL, modified_us integer NOT NULL, severity text NOT NULL, severity_from text NOT NULL);
CREATE UNIQUE INDEX observations_current ON vuln_observations (source, document, record, to_run) WHERE to_run = 0;
CREATE INDEX observations_record ON vuln_observations (record);
CREATE INDEX observations_begun ON vuln_observations (group_id, from_run);
CREATE INDEX observations_ended ON vuln_observations (group_id, to_run) WHERE to_run > 0;
-- Signals of a document, many in a row.
CREATE TABLE vuln_signals (
  seq integer PRIMARY KEY AUTOINCREMENT, source text NOT NULL, document text NOT NULL, n integer NOT NULL, count integer NOT NULL,
  from_run integer NOT NULL, to_run integer NOT NULL DEFAULT 0, digest blob NOT NULL, pack integer NOT NULL, at integer NOT NULL, size integer NOT NULL);
CREATE UNIQUE INDEX signals_current ON vuln_signals (source, document, n) WHERE to_run = 0;
CREATE INDEX signals_begun ON vuln_signals (source, from_run);
CREATE INDEX signals_ended ON vuln_signals (source, to_run) WHERE to_run > 0;

CREATE TABLE vuln_runs (
  number integer PRIMARY KEY AUTOINCREMENT, source text NOT NULL, holder text NOT NULL, epoch integer NOT NULL,
  began_us integer NOT NULL, ended_us integer NOT NULL DEFAULT 0,
  outcome text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'released', 'held', 'failed', 'abandoned')), why text NOT NULL DEFAULT '',
  approved_by text NOT NULL DEFAULT '', approved_us integer NOT NULL DEFAULT 0);
CREATE TABLE vuln_sources (
  name text PRIMARY KEY, epoch integer NOT NULL, holder text NOT NULL, until_us integer NOT NULL, run integer NOT NULL, state blob,
  released integer NOT NULL DEFAULT 0, records integer NOT NULL DEFAULT 0, documents integer NOT NULL DEFAULT 0,
  quarantined integer NOT NULL DEFAULT 0, problems integer NOT NULL DEFAULT 0,
  succeeded_us integer NOT NULL DEFAULT 0, failed_us integer NOT NULL DEFAULT 0, cause text NOT NULL DEFAULT '',
  held integer NOT NULL DEFAULT 0, why text NOT NULL DEFAULT '');

CREATE TABLE vuln_heads (
  number integer PRIMARY KEY, digest text NOT NULL, manifest blob NOT NULL, runs text NOT NULL, facts integer NOT NULL, at_us integer NOT NULL);
-- One row: see the migration of PostgreSQL.
CREATE TABLE vuln_current_head (id integer PRIMARY KEY CHECK (id = 1), number integer NOT NULL, guard integer NOT NULL DEFAULT 0);
INSERT INTO vuln_current_head (id, number) VALUES (1, 0);
CREATE TABLE vuln_facts (
  head integer NOT NULL, n integer NOT NULL, ecosystem text NOT NULL, name text NOT NULL, record text NOT NULL, vulnerability text NOT NULL, cause text NOT NULL,
  PRIMARY KEY (head, n)) WITHOUT ROWID;
CREATE TABLE vuln_linksets (key text PRIMARY KEY, head integer NOT NULL, body text NOT NULL);
CREATE TABLE vuln_advisories (
  cve_id text PRIMARY KEY, severity text NOT NULL, severity_source text NOT NULL, severity_from text NOT NULL,
  records integer NOT NULL, withdrawn integer NOT NULL, head integer NOT NULL);
-- Objects of the public part of the bucket: those that are used, and condemned ones.
CREATE TABLE vuln_blobs (
  digest text PRIMARY KEY, size integer NOT NULL, chunks blob NOT NULL, used integer NOT NULL, condemned_us integer NOT NULL DEFAULT 0);
-- Parts of snapshots have digests that are not those of their bytes.
CREATE TABLE vuln_objects (name text PRIMARY KEY, digest text NOT NULL);

-- What was written stays as it was, but that a row is ended, a document read and a
-- run ended and approved, each once.
CREATE TRIGGER vuln_packs_update BEFORE UPDATE ON vuln_packs BEGIN SELECT RAISE(ABORT, 'packs are never changed'); END;
CREATE TRIGGER vuln_packs_delete BEFORE DELETE ON vuln_packs BEGIN SELECT RAISE(ABORT, 'packs are never deleted'); END;
CREATE TRIGGER vuln_contents_update BEFORE UPDATE ON vuln_contents BEGIN SELECT RAISE(ABORT, 'contents are never changed'); END;
CREATE TRIGGER vuln_contents_delete BEFORE DELETE ON vuln_contents BEGIN SELECT RAISE(ABORT, 'contents are never deleted'); END;
CREATE TRIGGER vuln_documents_update BEFORE UPDATE OF seq, source, name, revision, from_run, digest, url, signature, signer, fetched_us ON vuln_documents
BEGIN SELECT RAISE(ABORT, 'documents are never changed'); END;
CREATE TRIGGER vuln_documents_end BEFORE UPDATE OF to_run ON vuln_documents WHEN OLD.to_run <> 0 OR NEW.to_run < OLD.from_run
BEGIN SELECT RAISE(ABORT, 'a document can only be ended once'); END;
CREATE TRIGGER vuln_documents_read BEFORE UPDATE OF state, problem_count, problems ON vuln_documents WHEN OLD.state <> 0 OR NEW.state = 0
BEGIN SELECT RAISE(ABORT, 'a document can only be read once'); END;
CREATE TRIGGER vuln_documents_delete BEFORE DELETE ON vuln_documents BEGIN SELECT RAISE(ABORT, 'documents are never deleted'); END;
CREATE TRIGGER vuln_groups_update BEFORE UPDATE ON vuln_groups BEGIN SELECT RAISE(ABORT, 'groups are never changed'); END;
CREATE TRIGGER vuln_groups_delete BEFORE DELETE ON vuln_groups BEGIN SELECT RAISE(ABORT, 'groups are never deleted'); END;
CREATE TRIGGER vuln_observations_update BEFORE UPDATE OF seq, source, document, record, group_id, from_run, digest, pack, at, size, withdrawn, affected, modified_us, severity, severity_from ON vuln_observations
BEGIN SELECT RAISE(ABORT, 'observations are never changed'); END;
CREATE TRIGGER vuln_observations_end BEFORE UPDATE OF to_run ON vuln_observations WHEN OLD.to_run <> 0 OR NEW.to_run < OLD.from_run
BEGIN SELECT RAISE(ABORT, 'an observation can only be ended once'); END;
CREATE TRIGGER vuln_observations_delete BEFORE DELETE ON vuln_observations BEGIN SELECT RAISE(ABORT, 'observations are never deleted'); END;
CREATE TRIGGER vuln_signals_update BEFORE UPDATE OF seq, source, document, n, count, from_run, digest, pack, at, size ON vuln_signals
BEGIN SELECT RAISE(ABORT, 'signals are never changed'); END;
CREATE TRIGGER vuln_signals_end BEFORE UPDATE OF to_run ON vuln_signals WHEN OLD.to_run <> 0 OR NEW.to_run < OLD.from_run
BEGIN SELECT RAISE(ABORT, 'signals can only be ended once'); END;
CREATE TRIGGER vuln_signals_delete BEFORE DELETE ON vuln_signals BEGIN SELECT RAISE(ABORT, 'signals are never deleted'); END;
CREATE TRIGGER vuln_runs_update BEFORE UPDATE OF number, source, holder, epoch, began_us ON vuln_runs BEGIN SELECT RAISE(ABORT, 'runs are never changed'); END;
CREATE TRIGGER vuln_runs_end BEFORE UPDATE OF ended_us, outcome, why ON vuln_runs WHEN OLD.ended_us <> 0
BEGIN SELECT RAISE(ABORT, 'a run can only be ended once'); END;
CREATE TRIGGER vuln_runs_approve BEFORE UPDATE OF approved_by, approved_us ON vuln_runs WHEN OLD.outcome <> 'held' OR OLD.approved_us <> 0
BEGIN SELECT RAISE(ABORT, 'a run can only be approved once, and if it is held'); END;
CREATE TRIGGER vuln_runs_delete BEFORE DELETE ON vuln_runs BEGIN SELECT RAISE(ABORT, 'runs are never deleted'); END;
CREATE TRIGGER vuln_heads_update BEFORE UPDATE ON vuln_heads BEGIN SELECT RAISE(ABORT, 'heads are never changed'); END;
CREATE TRIGGER vuln_heads_delete BEFORE DELETE ON vuln_heads BEGIN SELECT RAISE(ABORT, 'heads are never deleted'); END;
CREATE TRIGGER vuln_facts_update BEFORE UPDATE ON vuln_facts BEGIN SELECT RAISE(ABORT, 'facts are never changed'); END;
CREATE TRIGGER vuln_facts_delete BEFORE DELETE ON vuln_facts BEGIN SELECT RAISE(ABORT, 'facts are never deleted'); END;
