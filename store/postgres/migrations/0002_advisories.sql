-- What sources publish, what it says, and the heads that are made of it. Public
-- data belongs to no tenant. Times are microseconds since 1970 by the database's
-- clock, digests the 32 bytes of a SHA-256 but for texts that begin "sha256:".
CREATE SCHEMA vuln;

-- Many small texts together, compressed with zstd. The server need not try again.
CREATE TABLE vuln.packs (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, size bigint NOT NULL, body bytea NOT NULL);
ALTER TABLE vuln.packs ALTER COLUMN body SET STORAGE EXTERNAL;
-- Raw documents: size bytes of a pack, or, where pack is 0, an object of the bucket.
CREATE TABLE vuln.contents (
  digest bytea PRIMARY KEY, pack bigint NOT NULL, at bigint NOT NULL, size bigint NOT NULL, chunks bytea NOT NULL);
-- A revision of a document is current from one run on to before another; 0 is none yet.
CREATE TABLE vuln.documents (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL,
  revision bigint NOT NULL, -- 1 for one that replaced none
  from_run bigint NOT NULL, to_run bigint NOT NULL DEFAULT 0, digest bytea NOT NULL, url text NOT NULL,
  signature text NOT NULL, signer text NOT NULL, fetched_us bigint NOT NULL,
  state bigint NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)), -- pending, parsed, quarantined
  problem_count bigint NOT NULL DEFAULT 0, problems text NOT NULL DEFAULT '');
CREATE UNIQUE INDEX documents_current ON vuln.documents (source, name, to_run) WHERE to_run = 0;
CREATE INDEX documents_problems ON vuln.documents (source) WHERE to_run = 0 AND (state = 2 OR problem_count > 0);
-- Which parts of a snapshot observations belong to.
CREATE TABLE vuln.groups (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text COLLATE "C" NOT NULL, database text COLLATE "C" NOT NULL, ecosystems text COLLATE "C" NOT NULL,
  UNIQUE (source, database, ecosystems));
-- A record as one document states it, while the document does.
CREATE TABLE vuln.observations (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text COLLATE "C" NOT NULL, document text COLLATE "C" NOT NULL, record text COLLATE "C" NOT NULL,
  group_id bigint NOT NULL, from_run bigint NOT NULL, to_run bigint NOT NULL DEFAULT 0,
  digest bytea NOT NULL, pack bigint NOT NULL, at bigint NOT NULL, size bigint NOT NULL,
  withdrawn bigint NOT NULL, affected bigint NOT NULL, modified_us bigint NOT NULL, severity text NOT NULL, severity_from text NOT NULL);
CREATE UNIQUE INDEX observations_current ON vuln.observations (source, document, record, to_run) WHERE to_run = 0;
CREATE INDEX observations_record ON vuln.observations (record);
CREATE INDEX observations_begun ON vuln.observations (group_id, from_run);
CREATE INDEX observations_ended ON vuln.observations (group_id, to_run) WHERE to_run > 0;
-- Signals of a document, many in a row.
CREATE TABLE vuln.signals (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text COLLATE "C" NOT NULL, document text COLLATE "C" NOT NULL, n bigint NOT NULL, count bigint NOT NULL,
  from_run bigint NOT NULL, to_run bigint NOT NULL DEFAULT 0, digest bytea NOT NULL, pack bigint NOT NULL, at bigint NOT NULL, size bigint NOT NULL);
CREATE UNIQUE INDEX signals_current ON vuln.signals (source, document, n) WHERE to_run = 0;
CREATE INDEX signals_begun ON vuln.signals (source, from_run);
CREATE INDEX signals_ended ON vuln.signals (source, to_run) WHERE to_run > 0;

CREATE TABLE vuln.runs (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text COLLATE "C" NOT NULL, holder text NOT NULL, epoch bigint NOT NULL,
  began_us bigint NOT NULL, ended_us bigint NOT NULL DEFAULT 0,
  outcome text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'released', 'held', 'failed', 'abandoned')), why text NOT NULL DEFAULT '',
  approved_by text NOT NULL DEFAULT '', approved_us bigint NOT NULL DEFAULT 0);
CREATE TABLE vuln.sources (
  name text COLLATE "C" PRIMARY KEY, epoch bigint NOT NULL, holder text NOT NULL, until_us bigint NOT NULL, run bigint NOT NULL, state bytea,
  released bigint NOT NULL DEFAULT 0, records bigint NOT NULL DEFAULT 0, documents bigint NOT NULL DEFAULT 0,
  quarantined bigint NOT NULL DEFAULT 0, problems bigint NOT NULL DEFAULT 0,
  succeeded_us bigint NOT NULL DEFAULT 0, failed_us bigint NOT NULL DEFAULT 0, cause text NOT NULL DEFAULT '',
  held bigint NOT NULL DEFAULT 0, why text NOT NULL DEFAULT '');

CREATE TABLE vuln.heads (
  number bigint PRIMARY KEY, digest text NOT NULL, manifest bytea NOT NULL, runs text NOT NULL, facts bigint NOT NULL, at_us bigint NOT NULL);
-- One row: who completes a scan shares its lock, a new head takes it alone. The
-- guard is there because sharing needs the right to update some column.
CREATE TABLE vuln.current_head (id bigint PRIMARY KEY CHECK (id = 1), number bigint NOT NULL, guard bigint NOT NULL DEFAULT 0);
INSERT INTO vuln.current_head (id, number) VALUES (1, 0);
CREATE TABLE vuln.facts (
  head bigint NOT NULL, n bigint NOT NULL, ecosystem text NOT NULL, name text NOT NULL, record text NOT NULL, vulnerability text NOT NULL, cause text NOT NULL,
  PRIMARY KEY (head, n));
CREATE TABLE vuln.linksets (key text COLLATE "C" PRIMARY KEY, head bigint NOT NULL, body text NOT NULL);
CREATE TABLE vuln.advisories (
  cve_id text COLLATE "C" PRIMARY KEY, severity text NOT NULL, severity_source text NOT NULL, severity_from text NOT NULL,
  records bigint NOT NULL, withdrawn bigint NOT NULL, head bigint NOT NULL);
-- Objects of the public part of the bucket: those that are used, and condemned ones.
CREATE TABLE vuln.blobs (
  digest text PRIMARY KEY, size bigint NOT NULL, chunks bytea NOT NULL, used bigint NOT NULL, condemned_us bigint NOT NULL DEFAULT 0);
-- Parts of snapshots have digests that are not those of their bytes.
CREATE TABLE vuln.objects (name text PRIMARY KEY, digest text NOT NULL);

-- What was written stays as it was. Only what a table's trigger names may change.
CREATE FUNCTION vuln.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of %.% are never changed or deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION vuln.end_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE allowed record;
BEGIN
  allowed := OLD;
  IF OLD.to_run = 0 AND NEW.to_run >= OLD.from_run THEN
    allowed.to_run := NEW.to_run;
  END IF;
  IF NEW IS DISTINCT FROM allowed THEN
    RAISE EXCEPTION 'a row of %.% can only be ended, and once', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION vuln.read_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE allowed record;
BEGIN
  allowed := OLD;
  IF OLD.to_run = 0 AND NEW.to_run >= OLD.from_run THEN
    allowed.to_run := NEW.to_run;
  END IF;
  IF OLD.state = 0 AND NEW.state <> 0 THEN
    allowed.state := NEW.state;
    allowed.problem_count := NEW.problem_count;
    allowed.problems := NEW.problems;
  END IF;
  IF NEW IS DISTINCT FROM allowed THEN
    RAISE EXCEPTION 'a document can only be ended, and read, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION vuln.end_run() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE allowed record;
BEGIN
  allowed := OLD;
  IF OLD.ended_us = 0 THEN
    allowed.ended_us := NEW.ended_us;
    allowed.outcome := NEW.outcome;
    allowed.why := NEW.why;
  ELSIF OLD.outcome = 'held' AND OLD.approved_us = 0 THEN
    allowed.approved_by := NEW.approved_by;
    allowed.approved_us := NEW.approved_us;
  END IF;
  IF NEW IS DISTINCT FROM allowed THEN
    RAISE EXCEPTION 'a run can only be ended, and approved, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
DO $$
DECLARE t text; change text;
BEGIN
  FOREACH t IN ARRAY ARRAY['packs', 'contents', 'documents', 'groups', 'observations', 'signals', 'runs', 'heads', 'facts'] LOOP
    change := CASE t WHEN 'documents' THEN 'read_once' WHEN 'observations' THEN 'end_once' WHEN 'signals' THEN 'end_once' WHEN 'runs' THEN 'end_run' ELSE 'refuse' END;
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON vuln.%I FOR EACH ROW EXECUTE FUNCTION vuln.%I()', t || '_update', t, change);
    EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON vuln.%I FOR EACH ROW EXECUTE FUNCTION vuln.refuse()', t || '_delete', t);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON vuln.%I FOR EACH STATEMENT EXECUTE FUNCTION vuln.refuse()', t || '_truncate', t);
    -- Also for a session that calls itself a replica.
    EXECUTE format('ALTER TABLE vuln.%I ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I', t, t || '_update', t || '_delete', t || '_truncate');
  END LOOP;
END $$;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stella_concelier') THEN
    CREATE ROLE stella_concelier NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- another database of this server was set up at the same time
END $$;
-- Concelier writes advisories, announces what belongs to nobody, and sees nothing
-- of a tenant.
GRANT USAGE ON SCHEMA vuln TO stella_concelier, stella_app;
GRANT USAGE ON SCHEMA transport TO stella_concelier;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA vuln TO stella_concelier;
REVOKE INSERT ON vuln.current_head FROM stella_concelier;
GRANT UPDATE (to_run) ON vuln.observations, vuln.signals TO stella_concelier;
GRANT UPDATE (to_run, state, problem_count, problems) ON vuln.documents TO stella_concelier;
GRANT UPDATE (ended_us, outcome, why, approved_by, approved_us) ON vuln.runs TO stella_concelier;
GRANT UPDATE ON vuln.sources, vuln.current_head TO stella_concelier;
GRANT UPDATE, DELETE ON vuln.linksets, vuln.advisories, vuln.blobs, vuln.objects TO stella_concelier;
GRANT SELECT, INSERT, UPDATE ON transport.outbox, transport.inbox TO stella_concelier;
CREATE POLICY nobody ON transport.outbox TO stella_concelier USING (tenant_id = '') WITH CHECK (tenant_id = '');
CREATE POLICY nobody ON transport.inbox TO stella_concelier USING (tenant_id = '') WITH CHECK (tenant_id = '');
-- Tenants read what is public. To share the lock of the current head they may
-- update its guard, which means nothing.
GRANT SELECT ON vuln.packs, vuln.contents, vuln.groups, vuln.observations, vuln.heads, vuln.current_head, vuln.facts, vuln.linksets, vuln.advisories TO stella_app;
GRANT UPDATE (guard) ON vuln.current_head TO stella_app;
