-- The index of packages, who drifted with which head, and evaluations: see the
-- migration of PostgreSQL. Times are microseconds since 1970 by this machine's
-- clock.

CREATE TABLE scanner_package_locks (tenant_id text PRIMARY KEY, guard integer NOT NULL DEFAULT 0);
CREATE TABLE scanner_sboms (
  sbom_no integer PRIMARY KEY AUTOINCREMENT, tenant_id text NOT NULL, digest text NOT NULL, indexed_us integer NOT NULL,
  UNIQUE (tenant_id, digest));
CREATE TABLE scanner_package_facts (
  fact_no integer PRIMARY KEY AUTOINCREMENT, tenant_id text NOT NULL, digest text NOT NULL, fact text NOT NULL,
  UNIQUE (tenant_id, digest));
CREATE TABLE scanner_package_keys (
  tenant_id text NOT NULL, ecosystem text NOT NULL, name text NOT NULL, fact_no integer NOT NULL,
  PRIMARY KEY (ecosystem, name, tenant_id, fact_no)) WITHOUT ROWID;
CREATE INDEX package_keys_fact ON scanner_package_keys (tenant_id, fact_no);
CREATE TABLE scanner_package_postings (
  tenant_id text NOT NULL, fact_no integer NOT NULL, sbom_no integer NOT NULL,
  PRIMARY KEY (tenant_id, fact_no, sbom_no)) WITHOUT ROWID;
CREATE TABLE scanner_package_runs (
  tenant_id text NOT NULL, fact_no integer NOT NULL, first_no integer NOT NULL, last_no integer NOT NULL, numbers text NOT NULL,
  PRIMARY KEY (tenant_id, fact_no, first_no));
ALTER TABLE scanner_packages ADD COLUMN fact_no integer NOT NULL DEFAULT 0;

ALTER TABLE scanner_scan_jobs ADD COLUMN head_at integer NOT NULL DEFAULT 0;
ALTER TABLE scanner_reports ADD COLUMN head integer NOT NULL DEFAULT 0;
ALTER TABLE scanner_reports ADD COLUMN at_us integer NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX reports_head ON scanner_reports (tenant_id, scan_id, head) WHERE head > 0;
CREATE INDEX scan_jobs_unassessed ON scanner_scan_jobs (tenant_id, job_id) WHERE head_at = 0 AND sbom_digest <> '';

CREATE TABLE vuln_drift (
  tenant_id text NOT NULL, head integer NOT NULL, scan_id text NOT NULL, vulnerability text NOT NULL,
  cause text NOT NULL, severity text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, head, scan_id, vulnerability)) WITHOUT ROWID;
CREATE INDEX drift_scan ON vuln_drift (tenant_id, scan_id);
CREATE TRIGGER vuln_drift_update BEFORE UPDATE ON vuln_drift BEGIN SELECT RAISE(ABORT, 'drift is never changed'); END;
CREATE TABLE vuln_drift_progress (
  tenant_id text NOT NULL, head integer NOT NULL, vulnerability text NOT NULL, sbom_no integer NOT NULL, scan_id text NOT NULL,
  done integer NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, head)) WITHOUT ROWID;

CREATE TABLE scheduler_evaluations (
  tenant_id text NOT NULL, scan_id text NOT NULL, head integer NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'done', 'failed', 'dead')),
  cause text NOT NULL, priority integer NOT NULL, at_us integer NOT NULL,
  attempt integer NOT NULL DEFAULT 0, epoch integer NOT NULL DEFAULT 0, holder text NOT NULL DEFAULT '',
  until_us integer NOT NULL DEFAULT 0, not_before_us integer NOT NULL DEFAULT 0,
  reason text NOT NULL DEFAULT '', causes text NOT NULL DEFAULT '[]', created_us integer NOT NULL, updated_us integer NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, head));
CREATE INDEX evaluations_leases ON scheduler_evaluations (until_us) WHERE state = 'running';
CREATE TRIGGER scheduler_evaluations_final BEFORE UPDATE ON scheduler_evaluations
  WHEN OLD.state IN ('done', 'failed', 'dead')
BEGIN SELECT RAISE(ABORT, 'this evaluation has ended for good'); END;
CREATE TRIGGER scheduler_evaluations_transition BEFORE UPDATE ON scheduler_evaluations
  WHEN OLD.state = 'pending' AND NEW.state IN ('failed', 'dead')
BEGIN SELECT RAISE(ABORT, 'an evaluation that nobody runs cannot become that'); END;

INSERT INTO transport_groups (topic, group_name, types) VALUES ('scheduler:evaluations', 'policy-workers', ''),
  ('concelier:deltas', 'concelier-workers', ' advisory.delta '), ('concelier:deltas', 'scheduler', ' advisory.delta '), ('concelier:drift', 'scheduler', ' advisory.drift ')
  ON CONFLICT (topic, group_name) DO NOTHING;
