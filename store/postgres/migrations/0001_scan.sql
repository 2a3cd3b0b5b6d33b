-- Jobs, results, outbox, inbox and the embedded queue. Times are microseconds
-- since 1970 by the database's clock.
CREATE SCHEMA scanner;
CREATE SCHEMA transport;

-- The tenant of the transaction. A missing one is an error, never "no rows".
CREATE FUNCTION transport.tenant() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF coalesce(current_setting('app.tenant', true), '') = '' THEN
    RAISE EXCEPTION 'no tenant is set in this transaction' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN current_setting('app.tenant', true);
END $$;

CREATE TABLE scanner.scan_jobs (
  tenant_id text NOT NULL, job_id text NOT NULL, image_ref text NOT NULL, platform text NOT NULL, owner text NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'running', 'evaluating', 'completed', 'failed', 'cancelled', 'dead')),
  priority bigint NOT NULL, manifest bytea NOT NULL, reason text NOT NULL DEFAULT '', causes text NOT NULL DEFAULT '[]',
  attempt bigint NOT NULL DEFAULT 0, not_before_us bigint NOT NULL DEFAULT 0,
  lease_epoch bigint NOT NULL DEFAULT 0, lease_holder text NOT NULL DEFAULT '', lease_until_us bigint NOT NULL DEFAULT 0,
  eval_epoch bigint NOT NULL DEFAULT 0, eval_attempt bigint NOT NULL DEFAULT 0, eval_until_us bigint NOT NULL DEFAULT 0, eval_retry_us bigint NOT NULL DEFAULT 0,
  created_us bigint NOT NULL, updated_us bigint NOT NULL,
  image_digest text NOT NULL DEFAULT '', sbom_digest text NOT NULL DEFAULT '', package_count bigint NOT NULL DEFAULT 0,
  finding_count bigint NOT NULL DEFAULT 0, gap_count bigint NOT NULL DEFAULT 0, blocked bigint NOT NULL DEFAULT 0,
  snapshot text NOT NULL DEFAULT '', evaluated_us bigint NOT NULL DEFAULT 0, outcome text NOT NULL DEFAULT '',
  verdict text NOT NULL DEFAULT '', unsigned bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, job_id));
CREATE INDEX scan_jobs_newest ON scanner.scan_jobs (tenant_id, created_us DESC, job_id DESC);
CREATE INDEX scan_jobs_leases ON scanner.scan_jobs (lease_until_us) WHERE status = 'running';
CREATE INDEX scan_jobs_evaluations ON scanner.scan_jobs (eval_retry_us) WHERE status = 'evaluating';

CREATE FUNCTION scanner.check_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status IN ('completed', 'failed', 'cancelled', 'dead') THEN
    RAISE EXCEPTION 'scan job % is % for good', OLD.job_id, OLD.status USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.status <> OLD.status AND NOT (CASE OLD.status
      WHEN 'pending' THEN NEW.status IN ('running', 'cancelled', 'failed', 'dead')
      WHEN 'running' THEN NEW.status IN ('pending', 'evaluating', 'failed', 'cancelled', 'dead')
      ELSE NEW.status IN ('completed', 'failed', 'cancelled', 'dead') END) THEN
    RAISE EXCEPTION 'scan job %: % cannot become %', OLD.job_id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER scan_jobs_transition BEFORE UPDATE ON scanner.scan_jobs FOR EACH ROW EXECUTE FUNCTION scanner.check_transition();

CREATE TABLE scanner.scan_keys (
  tenant_id text NOT NULL, key text NOT NULL, request_hash text NOT NULL, job_id text NOT NULL, created_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, key));
CREATE TABLE scanner.sbom_documents (
  tenant_id text NOT NULL, scan_id text NOT NULL, format text NOT NULL, media_type text NOT NULL, name text NOT NULL,
  digest text NOT NULL, size bigint NOT NULL, chunks bytea NOT NULL, content bytea, created_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, format));
CREATE TABLE scanner.packages (
  tenant_id text NOT NULL, sbom_digest text NOT NULL, package_id text NOT NULL, package_purl text NOT NULL, name text NOT NULL, version text NOT NULL,
  PRIMARY KEY (tenant_id, sbom_digest, package_id));
CREATE INDEX packages_purl ON scanner.packages (package_purl);
CREATE INDEX scan_jobs_sbom ON scanner.scan_jobs (tenant_id, sbom_digest) WHERE sbom_digest <> '';
CREATE TABLE scanner.reports (
  tenant_id text NOT NULL, scan_id text NOT NULL, evaluated_us bigint NOT NULL, snapshot text NOT NULL, gaps text NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, evaluated_us));
CREATE TABLE scanner.vulnerabilities (
  tenant_id text NOT NULL, scan_id text NOT NULL, evaluated_us bigint NOT NULL, n bigint NOT NULL, vulnerability text NOT NULL,
  package_id text NOT NULL, advisory text NOT NULL, severity text NOT NULL, finding text NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, evaluated_us, n));
CREATE TABLE scanner.verdicts (
  tenant_id text NOT NULL, digest text NOT NULL, body bytea NOT NULL, created_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, digest));
CREATE TABLE scanner.signatures (
  tenant_id text NOT NULL, payload_digest text NOT NULL, key_id text NOT NULL, envelope bytea NOT NULL, created_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, payload_digest, key_id));
CREATE TABLE scanner.blobs (
  tenant_id text NOT NULL, digest text NOT NULL, size bigint NOT NULL, chunks bytea NOT NULL, condemned_us bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, digest));
CREATE TABLE scanner.blob_refs (
  tenant_id text NOT NULL, digest text NOT NULL, scan_id text NOT NULL,
  PRIMARY KEY (tenant_id, digest, scan_id));
CREATE TABLE scanner.layer_archives (
  tenant_id text NOT NULL, image_digest text NOT NULL, digest text NOT NULL, size bigint NOT NULL, chunks bytea NOT NULL, created_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, image_digest));
CREATE INDEX blob_refs_scan ON scanner.blob_refs (tenant_id, scan_id);

-- Tenants are ordered by their bytes, as the relay does when it takes turns.
CREATE TABLE transport.outbox (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id text COLLATE "C" NOT NULL, event_id text NOT NULL, topic text NOT NULL, type text NOT NULL, body bytea NOT NULL, digest text NOT NULL,
  priority bigint NOT NULL, state bigint NOT NULL, not_before_us bigint NOT NULL, claimed_us bigint NOT NULL, created_us bigint NOT NULL,
  published_us bigint NOT NULL, publishes bigint NOT NULL,
  UNIQUE (tenant_id, topic, event_id));
CREATE INDEX outbox_pending ON transport.outbox (seq) WHERE state = 0;
CREATE INDEX outbox_lanes ON transport.outbox (topic, priority DESC, tenant_id, seq) WHERE state = 0;
CREATE INDEX outbox_published ON transport.outbox (topic) WHERE state = 1;
CREATE TABLE transport.inbox (
  tenant_id text NOT NULL, group_name text NOT NULL, event_id text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, group_name, event_id));
CREATE TABLE transport.groups (topic text NOT NULL, group_name text NOT NULL, types text NOT NULL, PRIMARY KEY (topic, group_name));
-- A claim consumes its job message: the workers' group is always there.
INSERT INTO transport.groups (topic, group_name, types) VALUES ('scanner:jobs', 'scanner-workers', '');
CREATE TABLE transport.meta (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE transport.messages (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text NOT NULL, id text NOT NULL, body bytea NOT NULL, created_us bigint NOT NULL);
CREATE INDEX messages_topic ON transport.messages (topic, seq);
CREATE TABLE transport.subscriptions (topic text NOT NULL, group_name text NOT NULL, PRIMARY KEY (topic, group_name));
CREATE TABLE transport.deliveries (
  topic text NOT NULL, group_name text NOT NULL, seq bigint NOT NULL, attempt bigint NOT NULL DEFAULT 0, visible_us bigint NOT NULL DEFAULT 0,
  token bigint NOT NULL DEFAULT 0, causes text NOT NULL DEFAULT '[]',
  PRIMARY KEY (topic, group_name, seq));
CREATE INDEX deliveries_new ON transport.deliveries (topic, group_name, seq) WHERE token = 0;
CREATE INDEX deliveries_returned ON transport.deliveries (topic, group_name, visible_us) WHERE token > 0;
CREATE INDEX deliveries_seq ON transport.deliveries (seq);
CREATE TABLE transport.cache (key bytea PRIMARY KEY, value bytea NOT NULL, expires_us bigint NOT NULL);
CREATE INDEX cache_expiry ON transport.cache (expires_us);

-- Roles own nothing and see what their name says.
DO $$
DECLARE role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['stella_app', 'stella_relay', 'stella_index'] LOOP
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', role);
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL; -- another database of this server was set up at the same time
    END;
  END LOOP;
END $$;
GRANT USAGE ON SCHEMA scanner, transport TO stella_app, stella_relay, stella_index;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA scanner TO stella_app;
REVOKE UPDATE ON scanner.sbom_documents, scanner.packages, scanner.reports, scanner.vulnerabilities, scanner.verdicts, scanner.signatures FROM stella_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON transport.outbox, transport.inbox TO stella_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON transport.outbox, transport.groups, transport.meta, transport.messages, transport.subscriptions, transport.deliveries, transport.cache TO stella_relay;
GRANT SELECT, DELETE ON transport.inbox TO stella_relay;
GRANT SELECT (tenant_id, job_id, status, lease_until_us, eval_retry_us, updated_us) ON scanner.scan_jobs TO stella_relay;
GRANT SELECT ON scanner.packages TO stella_index;
GRANT SELECT (tenant_id, job_id, image_ref, owner, sbom_digest, status) ON scanner.scan_jobs TO stella_index;

DO $$
DECLARE t regclass;
BEGIN
  FOR t IN SELECT a.attrelid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE a.attname = 'tenant_id' AND c.relkind = 'r' AND n.nspname IN ('scanner', 'transport') LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %s TO stella_app USING (tenant_id = (SELECT transport.tenant())) WITH CHECK (tenant_id = (SELECT transport.tenant()))', t);
  END LOOP;
END $$;
CREATE POLICY relay ON transport.outbox TO stella_relay USING (true) WITH CHECK (true);
CREATE POLICY relay ON transport.inbox TO stella_relay USING (true);
CREATE POLICY relay ON scanner.scan_jobs FOR SELECT TO stella_relay USING (true);
CREATE POLICY index ON scanner.packages FOR SELECT TO stella_index USING (true);
CREATE POLICY index ON scanner.scan_jobs FOR SELECT TO stella_index USING (true);
