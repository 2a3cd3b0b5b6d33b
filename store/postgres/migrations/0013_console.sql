-- What people look at: lists of scans by what they are looked for by, how far a scan is,
-- and what holds about all images over time. Times are microseconds since 1970 by the
-- database's clock.

-- How far the running attempt is, as JSON; empty where nobody has said so.
ALTER TABLE scanner.scan_jobs ADD COLUMN progress text NOT NULL DEFAULT '';
-- A part of a reference is looked for in this alone.
DROP INDEX scanner.scan_jobs_newest;
CREATE INDEX scan_jobs_newest ON scanner.scan_jobs (tenant_id, created_us DESC, job_id DESC, image_ref);
-- The newest scan of an image is found by one look at this.
CREATE INDEX scan_jobs_reference ON scanner.scan_jobs (tenant_id, image_ref, created_us DESC, job_id DESC, status);
CREATE INDEX scan_jobs_state ON scanner.scan_jobs (tenant_id, status, created_us DESC, job_id DESC);
CREATE INDEX scan_jobs_ended ON scanner.scan_jobs (tenant_id, updated_us, status) WHERE status IN ('completed', 'failed', 'cancelled', 'dead');

-- What is open by the verdict that holds, counted, as JSON; empty where nobody counted.
ALTER TABLE policy.current ADD COLUMN open text NOT NULL DEFAULT '';
CREATE INDEX current_kept ON policy.current (tenant_id, kept_us);
-- What held about all images of a tenant in an environment: the newest of each hour. brief
-- is the part of body that is shown over time.
CREATE TABLE policy.samples (
  tenant_id text COLLATE "C" NOT NULL, environment text COLLATE "C" NOT NULL, hour_us bigint NOT NULL, at_us bigint NOT NULL, brief text NOT NULL, body text NOT NULL,
  PRIMARY KEY (tenant_id, environment, hour_us));
CREATE INDEX samples_newest ON policy.samples (tenant_id, at_us);

GRANT SELECT, INSERT, UPDATE, DELETE ON policy.samples TO stella_app;
ALTER TABLE policy.samples ENABLE ROW LEVEL SECURITY;
ALTER TABLE policy.samples FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON policy.samples TO stella_app USING (tenant_id = (SELECT transport.tenant())) WITH CHECK (tenant_id = (SELECT transport.tenant()));
