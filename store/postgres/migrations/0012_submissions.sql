-- What submissions bring along beside the job. Times are microseconds since 1970 by the
-- database's clock.

-- What registries are asked with: sealed, so that only workers can read it, and deleted
-- when the worker is done.
CREATE TABLE scanner.pull_secrets (
  tenant_id text NOT NULL, job_id text NOT NULL, sealed bytea NOT NULL, expires_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, job_id));
CREATE INDEX pull_secrets_expiry ON scanner.pull_secrets (tenant_id, expires_us);
-- How many scans a tenant asked for on its last day; a day is a number of days since 1970.
-- Who submits under a quota locks the row.
CREATE TABLE scanner.quotas (tenant_id text PRIMARY KEY, day bigint NOT NULL, submitted bigint NOT NULL);
CREATE INDEX scan_jobs_open ON scanner.scan_jobs (tenant_id) WHERE status IN ('pending', 'running', 'evaluating');
-- Which scan is of which project's version, for clients that speak of projects.
CREATE TABLE scanner.projects (
  tenant_id text NOT NULL, scan_id text NOT NULL, token text NOT NULL, project_id text NOT NULL, name text COLLATE "C" NOT NULL, version text COLLATE "C" NOT NULL, created_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, scan_id));
CREATE UNIQUE INDEX projects_token ON scanner.projects (tenant_id, token);
CREATE INDEX projects_newest ON scanner.projects (tenant_id, project_id, created_us DESC, scan_id DESC);

GRANT SELECT, INSERT, DELETE ON scanner.pull_secrets, scanner.projects TO stella_app;
GRANT SELECT, INSERT, UPDATE ON scanner.quotas TO stella_app;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['pull_secrets', 'quotas', 'projects'] LOOP
    EXECUTE format('ALTER TABLE scanner.%I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE scanner.%I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON scanner.%I TO stella_app USING (tenant_id = (SELECT transport.tenant())) WITH CHECK (tenant_id = (SELECT transport.tenant()))', t);
  END LOOP;
END $$;
