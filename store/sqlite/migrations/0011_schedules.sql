-- What tenants have scheduled, the runs of it, the tags that could not be asked about,
-- and who leads: see the migration of PostgreSQL. Times are microseconds since 1970 by
-- this machine's clock.

CREATE TABLE scheduler_schedules (
  tenant_id text NOT NULL, id text NOT NULL, version integer NOT NULL, body text NOT NULL, by_whom text NOT NULL,
  created_us integer NOT NULL, updated_us integer NOT NULL, next_us integer NOT NULL, due_us integer NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE INDEX schedules_due ON scheduler_schedules (due_us) WHERE due_us > 0;

CREATE TABLE scheduler_runs (
  tenant_id text NOT NULL, schedule_id text NOT NULL, id text NOT NULL,
  state text NOT NULL CHECK (state IN ('running', 'done', 'failed')), cause text NOT NULL CHECK (cause IN ('window', 'request')), by_whom text NOT NULL,
  window_us integer NOT NULL, plan text NOT NULL, image_ref text NOT NULL DEFAULT '', platform text NOT NULL DEFAULT '',
  attempt integer NOT NULL DEFAULT 0, term integer NOT NULL DEFAULT 0, not_before_us integer NOT NULL,
  selected integer NOT NULL DEFAULT 0, submitted integer NOT NULL DEFAULT 0, skipped integer NOT NULL DEFAULT 0, failed integer NOT NULL DEFAULT 0,
  problems text NOT NULL DEFAULT '[]', reason text NOT NULL DEFAULT '', created_us integer NOT NULL, updated_us integer NOT NULL,
  PRIMARY KEY (tenant_id, schedule_id, id));
CREATE INDEX runs_newest ON scheduler_runs (tenant_id, schedule_id, created_us DESC, id DESC);
CREATE TRIGGER scheduler_runs_final BEFORE UPDATE ON scheduler_runs WHEN OLD.state <> 'running'
BEGIN SELECT RAISE(ABORT, 'this run has ended for good'); END;
CREATE TRIGGER scheduler_runs_term BEFORE UPDATE ON scheduler_runs WHEN NEW.term < OLD.term
BEGIN SELECT RAISE(ABORT, 'this run is in a later term'); END;

CREATE TABLE scheduler_watches (
  tenant_id text NOT NULL, image_ref text NOT NULL, platform text NOT NULL,
  failures integer NOT NULL, not_before_us integer NOT NULL, reason text NOT NULL, updated_us integer NOT NULL,
  PRIMARY KEY (tenant_id, image_ref, platform)) WITHOUT ROWID;

CREATE TABLE scheduler_leaders (
  name text PRIMARY KEY, term integer NOT NULL, holder text NOT NULL, until_us integer NOT NULL, at_us integer NOT NULL, guard integer NOT NULL DEFAULT 0);

CREATE INDEX scan_jobs_images ON scanner_scan_jobs (tenant_id, image_ref, platform, created_us DESC, job_id DESC);
