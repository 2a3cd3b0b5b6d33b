-- What suppliers say about vulnerabilities in products, and what is decided. Every
-- row is of a tenant, or of '' for what is public. Times are microseconds since
-- 1970 by the database's clock, digests the 32 bytes of a SHA-256 but for texts
-- that begin "sha256:".
CREATE SCHEMA vex;

-- Raw documents by digest, compressed with zstd. The server need not try again.
CREATE TABLE vex.contents (
  tenant_id text COLLATE "C" NOT NULL, digest bytea NOT NULL, size bigint NOT NULL, body bytea NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, digest));
ALTER TABLE vex.contents ALTER COLUMN body SET STORAGE EXTERNAL;
-- A revision of a document is current from one run on to before another; 0 is none yet.
CREATE TABLE vex.documents (
  seq bigint GENERATED ALWAYS AS IDENTITY, tenant_id text COLLATE "C" NOT NULL, source text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL,
  from_run bigint NOT NULL, to_run bigint NOT NULL DEFAULT 0, digest bytea NOT NULL, proof bytea NOT NULL, url text NOT NULL, at_us bigint NOT NULL,
  state bigint NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)), -- pending, read, quarantined
  problem_count bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, seq));
CREATE UNIQUE INDEX documents_current ON vex.documents (tenant_id, source, name) WHERE to_run = 0;
CREATE INDEX documents_digest ON vex.documents (tenant_id, digest);
-- What came of reading a document, each time that somebody did. The payload is the
-- digest of the bytes that were read.
CREATE TABLE vex.readings (
  seq bigint GENERATED ALWAYS AS IDENTITY, tenant_id text COLLATE "C" NOT NULL, document bigint NOT NULL, source text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL,
  run bigint NOT NULL, at_us bigint NOT NULL, payload bytea NOT NULL, id text NOT NULL, version text NOT NULL,
  signature text NOT NULL, signer text NOT NULL, why text NOT NULL, quarantined text NOT NULL, problem_count bigint NOT NULL, problems text NOT NULL,
  PRIMARY KEY (tenant_id, seq));
CREATE INDEX readings_document ON vex.readings (tenant_id, document, seq);
CREATE INDEX readings_name ON vex.readings (tenant_id, source, name, seq);
CREATE INDEX readings_payload ON vex.readings (tenant_id, payload);
-- A statement as one document makes it, while the document does. safe says that it
-- lowers risk; claim is a digest of what it is about, as of when, in a document of
-- which id and version, empty without an id. One that never was in force ends as it
-- begins.
CREATE TABLE vex.observations (
  seq bigint GENERATED ALWAYS AS IDENTITY, tenant_id text COLLATE "C" NOT NULL, source text COLLATE "C" NOT NULL, document text COLLATE "C" NOT NULL, statement bytea NOT NULL,
  from_run bigint NOT NULL, to_run bigint NOT NULL DEFAULT 0, safe bigint NOT NULL, payload bytea NOT NULL, claim bytea NOT NULL, body bytea NOT NULL,
  PRIMARY KEY (tenant_id, seq));
CREATE UNIQUE INDEX observations_current ON vex.observations (tenant_id, source, document, statement) WHERE to_run = 0;
CREATE INDEX observations_statement ON vex.observations (tenant_id, statement, seq);
CREATE INDEX observations_claim ON vex.observations (tenant_id, claim, safe) WHERE claim <> '';
CREATE INDEX observations_begun ON vex.observations (tenant_id, source, from_run);
CREATE INDEX observations_ended ON vex.observations (tenant_id, source, to_run) WHERE to_run > 0;
-- Which vulnerabilities a statement names, in upper case.
CREATE TABLE vex.names (
  tenant_id text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, statement bytea NOT NULL,
  PRIMARY KEY (tenant_id, name, statement));
CREATE INDEX names_statement ON vex.names (tenant_id, statement);

CREATE TABLE vex.runs (
  number bigint GENERATED ALWAYS AS IDENTITY, tenant_id text COLLATE "C" NOT NULL, source text COLLATE "C" NOT NULL, holder text NOT NULL, epoch bigint NOT NULL,
  began_us bigint NOT NULL, ended_us bigint NOT NULL DEFAULT 0,
  outcome text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'released', 'failed', 'abandoned')), why text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, number));
CREATE TABLE vex.sources (
  tenant_id text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, epoch bigint NOT NULL, holder text NOT NULL, until_us bigint NOT NULL, run bigint NOT NULL, state bytea,
  released bigint NOT NULL DEFAULT 0, documents bigint NOT NULL DEFAULT 0, statements bigint NOT NULL DEFAULT 0,
  quarantined bigint NOT NULL DEFAULT 0, problems bigint NOT NULL DEFAULT 0,
  succeeded_us bigint NOT NULL DEFAULT 0, failed_us bigint NOT NULL DEFAULT 0, cause text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, name));

-- Whom an organisation believes, and since when.
CREATE TABLE vex.trusts (
  tenant_id text COLLATE "C" NOT NULL, digest text COLLATE "C" NOT NULL, body text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, digest));
CREATE TABLE vex.trust_changes (
  seq bigint GENERATED ALWAYS AS IDENTITY, tenant_id text COLLATE "C" NOT NULL, digest text NOT NULL, by_whom text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, seq));
CREATE TABLE vex.heads (
  tenant_id text COLLATE "C" NOT NULL, number bigint NOT NULL, digest text COLLATE "C" NOT NULL, trust text NOT NULL, runs text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, number));
CREATE INDEX heads_digest ON vex.heads (tenant_id, digest);
-- Which object of the bucket a set of statements is.
CREATE TABLE vex.snapshots (
  tenant_id text COLLATE "C" NOT NULL, digest text COLLATE "C" NOT NULL, object text NOT NULL, size bigint NOT NULL, chunks bytea NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, digest));
-- The newest head and the trust in force, in one row: who changes either has its lock.
CREATE TABLE vex.scopes (tenant_id text COLLATE "C" NOT NULL PRIMARY KEY, head bigint NOT NULL, trust text NOT NULL);
-- What is decided as of the newest head, and every change with the head that made
-- it; an empty body says that nothing is decided any more.
CREATE TABLE vex.consensus (
  tenant_id text COLLATE "C" NOT NULL, key bytea NOT NULL, vulnerability text COLLATE "C" NOT NULL, product text COLLATE "C" NOT NULL,
  head bigint NOT NULL, next_us bigint NOT NULL, body text NOT NULL,
  PRIMARY KEY (tenant_id, key));
CREATE INDEX consensus_vulnerability ON vex.consensus (tenant_id, vulnerability);
CREATE INDEX consensus_next ON vex.consensus (tenant_id, next_us) WHERE next_us > 0;
CREATE TABLE vex.decisions (
  tenant_id text COLLATE "C" NOT NULL, head bigint NOT NULL, n bigint NOT NULL, vulnerability text COLLATE "C" NOT NULL, product text NOT NULL, body text NOT NULL,
  PRIMARY KEY (tenant_id, head, n));
CREATE INDEX decisions_vulnerability ON vex.decisions (tenant_id, vulnerability, head);

-- What was written stays as it was. Only what a table's trigger names may change.
CREATE FUNCTION vex.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of %.% are never changed or deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION vex.end_once() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE FUNCTION vex.end_document() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE allowed record;
BEGIN
  allowed := OLD;
  IF OLD.to_run = 0 AND NEW.to_run >= OLD.from_run THEN
    allowed.to_run := NEW.to_run;
  END IF;
  IF NEW.state <> 0 THEN -- what the newest reading says
    allowed.state := NEW.state;
    allowed.problem_count := NEW.problem_count;
  END IF;
  IF NEW IS DISTINCT FROM allowed THEN
    RAISE EXCEPTION 'a document can only be ended, and read, once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION vex.end_run() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE allowed record;
BEGIN
  allowed := OLD;
  IF OLD.ended_us = 0 THEN
    allowed.ended_us := NEW.ended_us;
    allowed.outcome := NEW.outcome;
    allowed.why := NEW.why;
  END IF;
  IF NEW IS DISTINCT FROM allowed THEN
    RAISE EXCEPTION 'a run can only be ended, and once' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
DO $$
DECLARE t text; change text;
BEGIN
  FOREACH t IN ARRAY ARRAY['contents', 'documents', 'readings', 'observations', 'names', 'runs', 'trusts', 'trust_changes', 'heads', 'snapshots', 'decisions'] LOOP
    change := CASE t WHEN 'documents' THEN 'end_document' WHEN 'observations' THEN 'end_once' WHEN 'runs' THEN 'end_run' ELSE 'refuse' END;
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON vex.%I FOR EACH ROW EXECUTE FUNCTION vex.%I()', t || '_update', t, change);
    EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON vex.%I FOR EACH ROW EXECUTE FUNCTION vex.refuse()', t || '_delete', t);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON vex.%I FOR EACH STATEMENT EXECUTE FUNCTION vex.refuse()', t || '_truncate', t);
    -- Also for a session that calls itself a replica.
    EXECUTE format('ALTER TABLE vex.%I ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I', t, t || '_update', t || '_delete', t || '_truncate');
  END LOOP;
END $$;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stella_excititor') THEN
    CREATE ROLE stella_excititor NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- another database of this server was set up at the same time
END $$;
-- Excititor writes what is public and announces it; a tenant reads that, and has
-- rows of its own.
GRANT USAGE ON SCHEMA vex TO stella_excititor, stella_app;
GRANT USAGE ON SCHEMA transport TO stella_excititor;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA vex TO stella_excititor, stella_app;
GRANT UPDATE (to_run) ON vex.observations TO stella_excititor, stella_app;
GRANT UPDATE (to_run, state, problem_count) ON vex.documents TO stella_excititor, stella_app;
GRANT UPDATE (ended_us, outcome, why) ON vex.runs TO stella_excititor, stella_app;
GRANT UPDATE ON vex.sources, vex.scopes TO stella_excititor, stella_app;
GRANT UPDATE, DELETE ON vex.consensus TO stella_excititor, stella_app;
GRANT SELECT, INSERT, UPDATE ON transport.outbox, transport.inbox TO stella_excititor;
CREATE POLICY excititor ON transport.outbox TO stella_excititor USING (tenant_id = '') WITH CHECK (tenant_id = '');
CREATE POLICY excititor ON transport.inbox TO stella_excititor USING (tenant_id = '') WITH CHECK (tenant_id = '');
DO $$
DECLARE t regclass;
BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'vex' LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %s TO stella_app USING (tenant_id = (SELECT transport.tenant())) WITH CHECK (tenant_id = (SELECT transport.tenant()))', t);
    EXECUTE format('CREATE POLICY public ON %s FOR SELECT TO stella_app USING (tenant_id = '''')', t);
    EXECUTE format('CREATE POLICY excititor ON %s TO stella_excititor USING (tenant_id = '''') WITH CHECK (tenant_id = '''')', t);
  END LOOP;
END $$;

-- Whose verdicts follow from it is always told.
INSERT INTO transport.groups (topic, group_name, types) VALUES ('excititor:deltas', 'policy', ' vex.delta ')
  ON CONFLICT (topic, group_name) DO NOTHING;
