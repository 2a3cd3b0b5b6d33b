-- Jobs, results, outbox, inbox and the embedded queue. Times are microseconds
-- since 1970 by this machine's clock.

CREATE TABLE scanner_scan_jobs (
  tenant_id text NOT NULL, job_id text NOT NULL, image_ref text NOT NULL, platform text NOT NULL, owner text NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'running', 'evaluating', 'completed', 'failed', 'cancelled', 'dead')),
  priority integer NOT NULL, manifest blob NOT NULL, reason text NOT NULL DEFAULT '', causes text NOT NULL DEFAULT '[]',
  attempt integer NOT NULL DEFAULT 0, not_before_us integer NOT NULL DEFAULT 0,
  lease_epoch integer NOT NULL DEFAULT 0, lease_holder text NOT NULL DEFAULT '', lease_until_us integer NOT NULL DEFAULT 0,
  eval_epoch integer NOT NULL DEFAULT 0, eval_attempt integer NOT NULL DEFAULT 0, eval_until_us integer NOT NULL DEFAULT 0, eval_retry_us integer NOT NULL DEFAULT 0,
  created_us integer NOT NULL, updated_us integer NOT NULL,
  image_digest text NOT NULL DEFAULT '', sbom_digest text NOT NULL DEFAULT '', package_count integer NOT NULL DEFAULT 0,
  finding_count integer NOT NULL DEFAULT 0, gap_count integer NOT NULL DEFAULT 0, blocked integer NOT NULL DEFAULT 0,
  snapshot text NOT NULL DEFAULT '', evaluated_us integer NOT NULL DEFAULT 0, outcome text NOT NULL DEFAULT '',
  verdict text NOT NULL DEFAULT '', unsigned integer NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, job_id));
CREATE INDEX scan_jobs_newest ON scanner_scan_jobs (tenant_id, created_us DESC, job_id DESC);
CREATE INDEX scan_jobs_leases ON scanner_scan_jobs (lease_until_us) WHERE status = 'running';
CREATE INDEX scan_jobs_evaluations ON scanner_scan_jobs (eval_retry_us) WHERE status = 'evaluating';

CREATE TRIGGER scanner_scan_jobs_final BEFORE UPDATE ON scanner_scan_jobs
  WHEN OLD.status IN ('completed', 'failed', 'cancelled', 'dead')
BEGIN SELECT RAISE(ABORT, 'this scan job has ended for good'); END;
CREATE TRIGGER scanner_scan_jobs_transition BEFORE UPDATE ON scanner_scan_jobs
  WHEN NEW.status <> OLD.status AND NOT (CASE OLD.status
      WHEN 'pending' THEN NEW.status IN ('running', 'cancelled', 'failed', 'dead')
      WHEN 'running' THEN NEW.status IN ('pending', 'evaluating', 'failed', 'cancelled', 'dead')
      ELSE NEW.status IN ('completed', 'failed', 'cancelled', 'dead') END)
BEGIN SELECT RAISE(ABORT, 'this state of a scan job cannot become that one'); END;

CREATE TABLE scanner_scan_keys (
  tenant_id text NOT NULL, key text NOT NULL, request_hash text NOT NULL, job_id text NOT NULL, created_us integer NOT NULL,
  PRIMARY KEY (tenant_id, key));
CREATE TABLE scanner_sbom_documents (
  tenant_id text NOT NULL, scan_id text NOT NULL, format text NOT NULL, media_type text NOT NULL, name text NOT NULL,
  digest text NOT NULL, size integer NOT NULL, chunks blob NOT NULL, content blob, created_us integer NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, format));
CREATE TABLE scanner_packages (
  tenant_id text NOT NULL, sbom_digest text NOT NULL, package_id text NOT NULL, package_purl text NOT NULL, name text NOT NULL, version text NOT NULL,
  PRIMARY KEY (tenant_id, sbom_digest, package_id));
CREATE INDEX packages_purl ON scanner_packages (package_purl);
CREATE INDEX scan_jobs_sbom ON scanner_scan_jobs (tenant_id, sbom_digest) WHERE sbom_digest <> '';
CREATE TABLE scanner_reports (
  tenant_id text NOT NULL, scan_id text NOT NULL, evaluated_us integer NOT NULL, snapshot text NOT NULL, gaps text NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, evaluated_us));
CREATE TABLE scanner_vulnerabilities (
  tenant_id text NOT NULL, scan_id text NOT NULL, evaluated_us integer NOT NULL, n integer NOT NULL, vulnerability text NOT NULL,
  package_id text NOT NULL, advisory text NOT NULL, severity text NOT NULL, finding text NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, evaluated_us, n));
CREATE TABLE scanner_verdicts (
  tenant_id text NOT NULL, digest text NOT NULL, body blob NOT NULL, created_us integer NOT NULL,
  PRIMARY KEY (tenant_id, digest));
CREATE TABLE scanner_signatures (
  tenant_id text NOT NULL, payload_digest text NOT NULL, key_id text NOT NULL, envelope blob NOT NULL, created_us integer NOT NULL,
  PRIMARY KEY (tenant_id, payload_digest, key_id));
CREATE TABLE scanner_blobs (
  tenant_id text NOT NULL, digest text NOT NULL, size integer NOT NULL, chunks blob NOT NULL, condemned_us integer NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, digest));
CREATE TABLE scanner_blob_refs (
  tenant_id text NOT NULL, digest text NOT NULL, scan_id text NOT NULL,
  PRIMARY KEY (tenant_id, digest, scan_id));
CREATE TABLE scanner_layer_archives (
  tenant_id text NOT NULL, image_digest text NOT NULL, digest text NOT NULL, size integer NOT NULL, chunks blob NOT NULL, created_us integer NOT NULL,
  PRIMARY KEY (tenant_id, image_digest));
CREATE INDEX blob_refs_scan ON scanner_blob_refs (tenant_id, scan_id);

CREATE TABLE transport_outbox (
  seq integer PRIMARY KEY AUTOINCREMENT,
  tenant_id text NOT NULL, event_id text NOT NULL, topic text NOT NULL, type text NOT NULL, body blob NOT NULL, digest text NOT NULL,
  priority integer NOT NULL, state integer NOT NULL, not_before_us integer NOT NULL, claimed_us integer NOT NULL, created_us integer NOT NULL,
  published_us integer NOT NULL, publishes integer NOT NULL,
  UNIQUE (tenant_id, topic, event_id));
CREATE INDEX outbox_pending ON transport_outbox (seq) WHERE state = 0;
CREATE INDEX outbox_lanes ON transport_outbox (topic, priority DESC, tenant_id, seq) WHERE state = 0;
CREATE INDEX outbox_published ON transport_outbox (topic) WHERE state = 1;
CREATE TABLE transport_inbox (
  tenant_id text NOT NULL, group_name text NOT NULL, event_id text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, group_name, event_id));
CREATE TABLE transport_groups (topic text NOT NULL, group_name text NOT NULL, types text NOT NULL, PRIMARY KEY (topic, group_name));
-- A claim consumes its job message: the workers' group is always there.
INSERT INTO transport_groups (topic, group_name, types) VALUES ('scanner:jobs', 'scanner-workers', '');
CREATE TABLE transport_meta (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE transport_messages (
  seq integer PRIMARY KEY AUTOINCREMENT, topic text NOT NULL, id text NOT NULL, body blob NOT NULL, created_us integer NOT NULL);
CREATE INDEX messages_topic ON transport_messages (topic, seq);
CREATE TABLE transport_subscriptions (topic text NOT NULL, group_name text NOT NULL, PRIMARY KEY (topic, group_name));
CREATE TABLE transport_deliveries (
  topic text NOT NULL, group_name text NOT NULL, seq integer NOT NULL, attempt integer NOT NULL DEFAULT 0, visible_us integer NOT NULL DEFAULT 0,
  token integer NOT NULL DEFAULT 0, causes text NOT NULL DEFAULT '[]',
  PRIMARY KEY (topic, group_name, seq));
CREATE INDEX deliveries_new ON transport_deliveries (topic, group_name, seq) WHERE token = 0;
CREATE INDEX deliveries_returned ON transport_deliveries (topic, group_name, visible_us) WHERE token > 0;
CREATE INDEX deliveries_seq ON transport_deliveries (seq);
CREATE TABLE transport_cache (key blob PRIMARY KEY, value blob NOT NULL, expires_us integer NOT NULL);
CREATE INDEX cache_expiry ON transport_cache (expires_us);

