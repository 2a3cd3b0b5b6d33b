-- What tenants have scheduled, the runs of it, the tags that could not be asked about,
-- and who leads. Times are microseconds since 1970 by the database's clock.

-- next_us is when the next window of the plan's cron is due, due_us when somebody is to
-- look: then, or when a run goes on. 0 is never.
CREATE TABLE scheduler.schedules (
  tenant_id text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, version bigint NOT NULL, body text NOT NULL, by_whom text NOT NULL,
  created_us bigint NOT NULL, updated_us bigint NOT NULL, next_us bigint NOT NULL, due_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE INDEX schedules_due ON scheduler.schedules (due_us) WHERE due_us > 0;

-- plan is the plan as it was when the run began: a redo does what was begun.
CREATE TABLE scheduler.runs (
  tenant_id text COLLATE "C" NOT NULL, schedule_id text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL,
  state text NOT NULL CHECK (state IN ('running', 'done', 'failed')), cause text NOT NULL CHECK (cause IN ('window', 'request')), by_whom text NOT NULL,
  window_us bigint NOT NULL, plan text NOT NULL, image_ref text NOT NULL DEFAULT '', platform text NOT NULL DEFAULT '',
  attempt bigint NOT NULL DEFAULT 0, term bigint NOT NULL DEFAULT 0, not_before_us bigint NOT NULL,
  selected bigint NOT NULL DEFAULT 0, submitted bigint NOT NULL DEFAULT 0, skipped bigint NOT NULL DEFAULT 0, failed bigint NOT NULL DEFAULT 0,
  problems text NOT NULL DEFAULT '[]', reason text NOT NULL DEFAULT '', created_us bigint NOT NULL, updated_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, schedule_id, id));
CREATE INDEX runs_newest ON scheduler.runs (tenant_id, schedule_id, created_us DESC, id DESC);
CREATE FUNCTION scheduler.check_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'running' THEN
    RAISE EXCEPTION 'run % of % is % for good', OLD.id, OLD.schedule_id, OLD.state USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.term < OLD.term THEN
    RAISE EXCEPTION 'run % of % is in term %', OLD.id, OLD.schedule_id, OLD.term USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER runs_transition BEFORE UPDATE ON scheduler.runs FOR EACH ROW EXECUTE FUNCTION scheduler.check_run();

CREATE TABLE scheduler.watches (
  tenant_id text COLLATE "C" NOT NULL, image_ref text NOT NULL, platform text NOT NULL,
  failures bigint NOT NULL, not_before_us bigint NOT NULL, reason text NOT NULL, updated_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, image_ref, platform));

-- A term is never used twice. Who writes within one shares the row, who begins one takes it.
CREATE TABLE scheduler.leaders (
  name text COLLATE "C" PRIMARY KEY, term bigint NOT NULL, holder text NOT NULL, until_us bigint NOT NULL, at_us bigint NOT NULL, guard bigint NOT NULL DEFAULT 0);

-- The newest completed scan of each image is found by leaps over this.
CREATE INDEX scan_jobs_images ON scanner.scan_jobs (tenant_id, image_ref, platform, created_us DESC, job_id DESC);

GRANT SELECT, INSERT, UPDATE, DELETE ON scheduler.schedules, scheduler.runs, scheduler.watches TO stella_app;
GRANT SELECT (tenant_id, id, due_us) ON scheduler.schedules TO stella_relay;
GRANT SELECT ON scheduler.leaders TO stella_app;
GRANT UPDATE (guard) ON scheduler.leaders TO stella_app;
GRANT SELECT, INSERT, UPDATE ON scheduler.leaders TO stella_relay;

DO $$
DECLARE t regclass;
BEGIN
  FOREACH t IN ARRAY ARRAY['scheduler.schedules', 'scheduler.runs', 'scheduler.watches']::regclass[] LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %s TO stella_app USING (tenant_id = (SELECT transport.tenant())) WITH CHECK (tenant_id = (SELECT transport.tenant()))', t);
  END LOOP;
END $$;
CREATE POLICY relay ON scheduler.schedules FOR SELECT TO stella_relay USING (true);
