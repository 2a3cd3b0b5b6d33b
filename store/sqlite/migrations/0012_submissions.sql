-- What submissions bring along beside the job. Times are microseconds since 1970 by this
-- machine's clock.

-- What registries are asked with: sealed, so that only workers can read it, and deleted
-- when the worker is done.
CREATE TABLE scanner_pull_secrets (
  tenant_id text NOT NULL, job_id text NOT NULL, sealed blob NOT NULL, expires_us integer NOT NULL,
  PRIMARY KEY (tenant_id, job_id));
CREATE INDEX pull_secrets_expiry ON scanner_pull_secrets (tenant_id, expires_us);
-- How many scans a tenant asked for on its last day; a day is a number of days since 1970.
-- Who submits under a quota locks the row.
CREATE TABLE scanner_quotas (tenant_id text PRIMARY KEY, day integer NOT NULL, submitted integer NOT NULL);
CREATE INDEX scan_jobs_open ON scanner_scan_jobs (tenant_id) WHERE status IN ('pending', 'running', 'evaluating');
-- Which scan is of which project's version, for clients that speak of projects.
CREATE TABLE scanner_projects (
  tenant_id text NOT NULL, scan_id text NOT NULL, token text NOT NULL, project_id text NOT NULL, name text NOT NULL, version text NOT NULL, created_us integer NOT NULL,
  PRIMARY KEY (tenant_id, scan_id));
CREATE UNIQUE INDEX projects_token ON scanner_projects (tenant_id, token);
CREATE INDEX projects_newest ON scanner_projects (tenant_id, project_id, created_us DESC, scan_id DESC);
