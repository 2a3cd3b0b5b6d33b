-- The index of packages, who drifted with which head, and evaluations. Times are
-- microseconds since 1970 by the database's clock.
CREATE SCHEMA scheduler;

-- A completion shares the lock of its tenant's row; a collection takes it alone,
-- so that nothing is deleted that a completion has just found to be there.
CREATE TABLE scanner.package_locks (tenant_id text COLLATE "C" PRIMARY KEY, guard bigint NOT NULL DEFAULT 0);
-- Documents and distinct packages by short numbers, which are never used again.
CREATE TABLE scanner.sboms (
  sbom_no bigint GENERATED ALWAYS AS IDENTITY, tenant_id text COLLATE "C" NOT NULL, digest text COLLATE "C" NOT NULL, indexed_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, digest));
CREATE UNIQUE INDEX sboms_no ON scanner.sboms (tenant_id, sbom_no);
CREATE TABLE scanner.package_facts (
  fact_no bigint GENERATED ALWAYS AS IDENTITY, tenant_id text COLLATE "C" NOT NULL, digest text COLLATE "C" NOT NULL, fact text NOT NULL,
  PRIMARY KEY (tenant_id, digest));
CREATE UNIQUE INDEX package_facts_no ON scanner.package_facts (tenant_id, fact_no);
CREATE TABLE scanner.package_keys (
  tenant_id text COLLATE "C" NOT NULL, ecosystem text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, fact_no bigint NOT NULL,
  PRIMARY KEY (ecosystem, name, tenant_id, fact_no));
CREATE INDEX package_keys_fact ON scanner.package_keys (tenant_id, fact_no);
CREATE TABLE scanner.package_postings (
  tenant_id text COLLATE "C" NOT NULL, fact_no bigint NOT NULL, sbom_no bigint NOT NULL,
  PRIMARY KEY (tenant_id, fact_no, sbom_no));
-- Many postings of a package in one row: numbers in order, with commas between.
CREATE TABLE scanner.package_runs (
  tenant_id text COLLATE "C" NOT NULL, fact_no bigint NOT NULL, first_no bigint NOT NULL, last_no bigint NOT NULL, numbers text NOT NULL,
  PRIMARY KEY (tenant_id, fact_no, first_no));
ALTER TABLE scanner.packages ADD COLUMN fact_no bigint NOT NULL DEFAULT 0;

-- head_at is the head that was current when the results were stored; reports say
-- with which head they were made, and as of when.
ALTER TABLE scanner.scan_jobs ADD COLUMN head_at bigint NOT NULL DEFAULT 0;
ALTER TABLE scanner.reports ADD COLUMN head bigint NOT NULL DEFAULT 0, ADD COLUMN at_us bigint NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX reports_head ON scanner.reports (tenant_id, scan_id, head) WHERE head > 0;
CREATE INDEX scan_jobs_unassessed ON scanner.scan_jobs (tenant_id, job_id) WHERE head_at = 0 AND sbom_digest <> '';

CREATE TABLE vuln.drift (
  tenant_id text COLLATE "C" NOT NULL, head bigint NOT NULL, scan_id text COLLATE "C" NOT NULL, vulnerability text COLLATE "C" NOT NULL,
  cause text NOT NULL, severity text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, head, scan_id, vulnerability));
CREATE INDEX drift_scan ON vuln.drift (tenant_id, scan_id);
-- How far a tenant is with a head: everything up to there is announced.
CREATE TABLE vuln.drift_progress (
  tenant_id text COLLATE "C" NOT NULL, head bigint NOT NULL, vulnerability text COLLATE "C" NOT NULL, sbom_no bigint NOT NULL, scan_id text COLLATE "C" NOT NULL,
  done bigint NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, head));

CREATE TABLE scheduler.evaluations (
  tenant_id text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL, head bigint NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'done', 'failed', 'dead')),
  cause text NOT NULL, priority bigint NOT NULL, at_us bigint NOT NULL,
  attempt bigint NOT NULL DEFAULT 0, epoch bigint NOT NULL DEFAULT 0, holder text NOT NULL DEFAULT '',
  until_us bigint NOT NULL DEFAULT 0, not_before_us bigint NOT NULL DEFAULT 0,
  reason text NOT NULL DEFAULT '', causes text NOT NULL DEFAULT '[]', created_us bigint NOT NULL, updated_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, head));
CREATE INDEX evaluations_leases ON scheduler.evaluations (until_us) WHERE state = 'running';
CREATE FUNCTION scheduler.check_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state IN ('done', 'failed', 'dead') THEN
    RAISE EXCEPTION 'the evaluation of % with head % is % for good', OLD.scan_id, OLD.head, OLD.state USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.state = 'pending' AND NEW.state IN ('failed', 'dead') THEN
    RAISE EXCEPTION 'an evaluation that nobody runs cannot become %', NEW.state USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER evaluations_transition BEFORE UPDATE ON scheduler.evaluations FOR EACH ROW EXECUTE FUNCTION scheduler.check_transition();

GRANT USAGE ON SCHEMA scheduler TO stella_app, stella_relay;
GRANT SELECT, INSERT, DELETE ON scanner.package_locks, scanner.sboms, scanner.package_facts, scanner.package_keys, scanner.package_postings, scanner.package_runs, vuln.drift, vuln.drift_progress, scheduler.evaluations TO stella_app;
GRANT UPDATE (guard) ON scanner.package_locks TO stella_app;
GRANT UPDATE ON scanner.package_runs, vuln.drift_progress, scheduler.evaluations TO stella_app;
GRANT SELECT ON scanner.package_facts, scanner.package_keys, scanner.package_postings, scanner.package_runs, scanner.sboms TO stella_index;
GRANT SELECT (head_at) ON scanner.scan_jobs TO stella_index;
GRANT SELECT (tenant_id, scan_id, head, state, until_us) ON scheduler.evaluations TO stella_relay;

DO $$
DECLARE t regclass;
BEGIN
  FOREACH t IN ARRAY ARRAY['scanner.package_locks', 'scanner.sboms', 'scanner.package_facts', 'scanner.package_keys', 'scanner.package_postings', 'scanner.package_runs',
      'vuln.drift', 'vuln.drift_progress', 'scheduler.evaluations']::regclass[] LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %s TO stella_app USING (tenant_id = (SELECT transport.tenant())) WITH CHECK (tenant_id = (SELECT transport.tenant()))', t);
  END LOOP;
END $$;
CREATE POLICY index ON scanner.sboms FOR SELECT TO stella_index USING (true);
CREATE POLICY index ON scanner.package_facts FOR SELECT TO stella_index USING (true);
CREATE POLICY index ON scanner.package_keys FOR SELECT TO stella_index USING (true);
CREATE POLICY index ON scanner.package_postings FOR SELECT TO stella_index USING (true);
CREATE POLICY index ON scanner.package_runs FOR SELECT TO stella_index USING (true);
CREATE POLICY relay ON scheduler.evaluations FOR SELECT TO stella_relay USING (true);

-- Claims consume their messages: these groups are always there, and so is who
-- turns drift into evaluations.
INSERT INTO transport.groups (topic, group_name, types) VALUES ('scheduler:evaluations', 'policy-workers', ''),
  ('concelier:deltas', 'concelier-workers', ' advisory.delta '), ('concelier:deltas', 'scheduler', ' advisory.delta '), ('concelier:drift', 'scheduler', ' advisory.drift ')
  ON CONFLICT (topic, group_name) DO NOTHING;
