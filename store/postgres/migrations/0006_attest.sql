-- Signatures, attestations, exports, and what is pushed. Every row is of one tenant.
-- Times are microseconds since 1970 by the database's clock.
CREATE SCHEMA attest;

-- One signature of a payload by a key, for the scan that it was made for first.
CREATE TABLE attest.signatures (
  tenant_id text COLLATE "C" NOT NULL, payload text COLLATE "C" NOT NULL, key_id text COLLATE "C" NOT NULL, payload_type text NOT NULL, sig bytea NOT NULL,
  scan_id text COLLATE "C" NOT NULL, predicate_type text NOT NULL, by_whom text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, payload, key_id));
CREATE INDEX signatures_scan ON attest.signatures (tenant_id, scan_id);
-- Envelopes that were verified, by their digests; large ones are objects alone.
CREATE TABLE attest.attestations (
  tenant_id text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, envelope bytea, size bigint NOT NULL, chunks bytea NOT NULL, payload text COLLATE "C" NOT NULL, key_id text COLLATE "C" NOT NULL,
  predicate_type text NOT NULL, scan_id text COLLATE "C" NOT NULL, at_us bigint NOT NULL, guard bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, id));
CREATE INDEX attestations_newest ON attest.attestations (tenant_id, at_us, id);
CREATE INDEX attestations_payload ON attest.attestations (tenant_id, payload, key_id);
CREATE TABLE attest.subjects (
  tenant_id text COLLATE "C" NOT NULL, digest text COLLATE "C" NOT NULL, attestation text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, digest, attestation));
CREATE INDEX subjects_attestation ON attest.subjects (tenant_id, attestation);
-- Which proofs an attestation is to have, and those that it has, in their order.
CREATE TABLE attest.wanted (
  tenant_id text COLLATE "C" NOT NULL, attestation text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL CHECK (kind IN ('timestamp', 'log')),
  PRIMARY KEY (tenant_id, attestation, kind));
CREATE TABLE attest.proofs (
  tenant_id text COLLATE "C" NOT NULL, attestation text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL CHECK (kind IN ('timestamp', 'log')), number bigint NOT NULL,
  source text NOT NULL, content bytea NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, attestation, kind));
-- Which scans an attestation is kept for. It goes with the last of them.
CREATE TABLE attest.uses (
  tenant_id text COLLATE "C" NOT NULL, attestation text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, attestation, scan_id));
CREATE INDEX uses_scan ON attest.uses (tenant_id, scan_id);
-- The one row that points to what is exported of a scan in a format. The key, the
-- version and the inputs are those that are wanted; made says what is there, empty for
-- nothing. A round is one message.
CREATE TABLE attest.exports (
  tenant_id text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL, format text COLLATE "C" NOT NULL, state text NOT NULL CHECK (state IN ('queued', 'completed', 'failed')),
  key text NOT NULL, inputs text NOT NULL, version bigint NOT NULL, round bigint NOT NULL, attempt bigint NOT NULL DEFAULT 0, reason text NOT NULL DEFAULT '',
  made text NOT NULL DEFAULT '', made_us bigint NOT NULL DEFAULT 0, by_whom text NOT NULL, created_us bigint NOT NULL, updated_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, format));
-- Which attestations are in the bundle that is there.
CREATE TABLE attest.bundled (
  tenant_id text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL, format text COLLATE "C" NOT NULL, attestation text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, format, attestation));
CREATE INDEX bundled_attestation ON attest.bundled (tenant_id, attestation);
CREATE TABLE attest.pushes (
  tenant_id text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL, format text COLLATE "C" NOT NULL, destination text COLLATE "C" NOT NULL, digest text COLLATE "C" NOT NULL,
  state text NOT NULL CHECK (state IN ('queued', 'completed', 'failed')), round bigint NOT NULL, attempt bigint NOT NULL DEFAULT 0,
  reason text NOT NULL DEFAULT '', receipt text NOT NULL DEFAULT '', updated_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, format, destination, digest));
-- What a tenant wants: the newest revision stands.
CREATE TABLE attest.settings (
  tenant_id text COLLATE "C" NOT NULL, number bigint NOT NULL, body text NOT NULL, by_whom text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, number));
-- Which scans must not be deleted is what their newest rows say.
CREATE TABLE attest.holds (
  tenant_id text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL, number bigint NOT NULL, held bigint NOT NULL, reason text NOT NULL, by_whom text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, number));

CREATE FUNCTION attest.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of %.% are never changed or deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
-- They go with the scans that they are about, and not before.
CREATE FUNCTION attest.refuse_while_needed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE needed boolean;
BEGIN
  CASE TG_TABLE_NAME
  WHEN 'signatures' THEN
    needed := OLD.scan_id = '' OR EXISTS (SELECT FROM scanner.scan_jobs j WHERE j.tenant_id = OLD.tenant_id AND j.job_id = OLD.scan_id)
      OR EXISTS (SELECT FROM attest.attestations a WHERE a.tenant_id = OLD.tenant_id AND a.payload = OLD.payload AND a.key_id = OLD.key_id);
  WHEN 'attestations' THEN
    needed := OLD.scan_id = '' OR EXISTS (SELECT FROM attest.uses u WHERE u.tenant_id = OLD.tenant_id AND u.attestation = OLD.id);
  WHEN 'uses', 'holds' THEN
    needed := EXISTS (SELECT FROM scanner.scan_jobs j WHERE j.tenant_id = OLD.tenant_id AND j.job_id = OLD.scan_id);
  ELSE
    needed := EXISTS (SELECT FROM attest.attestations a WHERE a.tenant_id = OLD.tenant_id AND a.id = OLD.attestation);
  END CASE;
  IF needed THEN
    RAISE EXCEPTION 'rows of %.% that are needed are never deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN OLD;
END $$;
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['signatures', 'attestations', 'subjects', 'wanted', 'proofs', 'uses', 'settings', 'holds'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON attest.%I FOR EACH ROW EXECUTE FUNCTION attest.refuse()', t || '_update', t);
    EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON attest.%I FOR EACH ROW EXECUTE FUNCTION attest.%I()', t || '_delete', t,
      CASE WHEN t = 'settings' THEN 'refuse' ELSE 'refuse_while_needed' END);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON attest.%I FOR EACH STATEMENT EXECUTE FUNCTION attest.refuse()', t || '_truncate', t);
    -- Also for a session that calls itself a replica.
    EXECUTE format('ALTER TABLE attest.%I ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I', t, t || '_update', t || '_delete', t || '_truncate');
  END LOOP;
END $$;
-- Whoever deletes a scan has looked whether it is held; this looks once more.
CREATE FUNCTION attest.refuse_while_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT h.held FROM attest.holds h WHERE h.tenant_id = OLD.tenant_id AND h.scan_id = OLD.job_id ORDER BY h.number DESC LIMIT 1) = 1 THEN
    RAISE EXCEPTION 'scan % is held and never deleted', OLD.job_id USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN OLD;
END $$;
CREATE TRIGGER scan_jobs_held BEFORE DELETE ON scanner.scan_jobs FOR EACH ROW EXECUTE FUNCTION attest.refuse_while_held();

GRANT USAGE ON SCHEMA attest TO stella_app;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA attest TO stella_app;
GRANT UPDATE (guard) ON attest.attestations TO stella_app; -- to lock them; a trigger refuses to change them
GRANT UPDATE ON attest.exports, attest.pushes TO stella_app;
GRANT DELETE ON attest.signatures, attest.attestations, attest.subjects, attest.wanted, attest.proofs, attest.uses, attest.exports, attest.bundled, attest.pushes, attest.holds TO stella_app;

DO $$
DECLARE t regclass;
BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'attest' LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %s TO stella_app USING (tenant_id = (SELECT transport.tenant())) WITH CHECK (tenant_id = (SELECT transport.tenant()))', t);
  END LOOP;
END $$;

-- Who works on them notes each message: these groups are always there.
INSERT INTO transport.groups (topic, group_name, types) VALUES ('export:jobs', 'export-workers', ''), ('attestor:submissions', 'attestor-workers', '')
  ON CONFLICT (topic, group_name) DO NOTHING;
