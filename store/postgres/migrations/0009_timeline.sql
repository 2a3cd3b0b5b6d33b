-- What happened when: a chain of rows for each tenant. See package notify/timeline.
-- Times are microseconds since 1970 by the database's clock.
CREATE SCHEMA timeline;

-- The end of each chain, to lock. What the first row follows is made of the tenant.
CREATE TABLE timeline.heads (
  tenant_id text COLLATE "C" NOT NULL PRIMARY KEY, seq bigint NOT NULL, hash bytea NOT NULL, at_us bigint NOT NULL);
CREATE TABLE timeline.rows (
  tenant_id text COLLATE "C" NOT NULL, seq bigint NOT NULL, topic text NOT NULL, event_id text NOT NULL, type text COLLATE "C" NOT NULL,
  time_us bigint NOT NULL, at_us bigint NOT NULL, digest bytea NOT NULL CHECK (length(digest) = 32), hash bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (tenant_id, seq));
CREATE UNIQUE INDEX rows_event ON timeline.rows (tenant_id, event_id, topic);
CREATE INDEX rows_type ON timeline.rows (tenant_id, type, seq);
CREATE INDEX rows_time ON timeline.rows (tenant_id, time_us, seq);
CREATE TABLE timeline.bodies (
  tenant_id text COLLATE "C" NOT NULL, seq bigint NOT NULL, body bytea NOT NULL,
  PRIMARY KEY (tenant_id, seq));
-- What rows are about, to find them by.
CREATE TABLE timeline.refs (
  tenant_id text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL, value text COLLATE "C" NOT NULL, seq bigint NOT NULL,
  PRIMARY KEY (tenant_id, kind, value, seq));
CREATE INDEX refs_row ON timeline.refs (tenant_id, seq);
-- Which row says that bodies up to another one go.
CREATE TABLE timeline.prunes (
  tenant_id text COLLATE "C" NOT NULL, last bigint NOT NULL, seq bigint NOT NULL,
  PRIMARY KEY (tenant_id, last));
-- Checkpoints as they were signed: whoever keeps one of a number first wins.
CREATE TABLE timeline.checkpoints (
  tenant_id text COLLATE "C" NOT NULL, number bigint NOT NULL, envelope bytea NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, number));

CREATE FUNCTION timeline.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of %.% are never changed or deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION timeline.only_later_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.tenant_id <> OLD.tenant_id OR NEW.seq <= OLD.seq OR NEW.at_us < OLD.at_us
    OR NOT EXISTS (SELECT FROM timeline.rows r WHERE r.tenant_id = NEW.tenant_id AND r.seq = NEW.seq AND r.hash = NEW.hash) THEN
    RAISE EXCEPTION 'the head of a timeline is never changed but to a later row' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION timeline.only_pruned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM timeline.prunes p WHERE p.tenant_id = OLD.tenant_id AND p.last >= OLD.seq) THEN
    RAISE EXCEPTION 'rows of %.% are never deleted before the timeline says so', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN OLD;
END $$;
-- Bodies go where the row with the number says so, in its id.
CREATE FUNCTION timeline.only_said() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.last >= NEW.seq OR NOT EXISTS (SELECT FROM timeline.rows r WHERE r.tenant_id = NEW.tenant_id AND r.seq = NEW.seq AND r.topic = 'timeline' AND r.event_id = 'timeline/pruned/' || NEW.last) THEN
    RAISE EXCEPTION 'bodies are never deleted before the timeline says so' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
-- A row follows the one before; one that is behind the head already is none.
CREATE FUNCTION timeline.only_beyond_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.seq <= (SELECT h.seq FROM timeline.heads h WHERE h.tenant_id = NEW.tenant_id) THEN
    RAISE EXCEPTION 'rows of a timeline are never added before its head' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['heads', 'rows', 'bodies', 'refs', 'prunes', 'checkpoints'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON timeline.%I FOR EACH ROW EXECUTE FUNCTION timeline.%I()', t || '_update', t, CASE WHEN t = 'heads' THEN 'only_later_row' ELSE 'refuse' END);
    EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON timeline.%I FOR EACH ROW EXECUTE FUNCTION timeline.%I()', t || '_delete', t, CASE WHEN t IN ('bodies', 'refs') THEN 'only_pruned' ELSE 'refuse' END);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON timeline.%I FOR EACH STATEMENT EXECUTE FUNCTION timeline.refuse()', t || '_truncate', t);
    -- Also for a session that calls itself a replica.
    EXECUTE format('ALTER TABLE timeline.%I ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I', t, t || '_update', t || '_delete', t || '_truncate');
  END LOOP;
END $$;
CREATE TRIGGER rows_insert BEFORE INSERT ON timeline.rows FOR EACH ROW EXECUTE FUNCTION timeline.only_beyond_head();
CREATE TRIGGER prunes_insert BEFORE INSERT ON timeline.prunes FOR EACH ROW EXECUTE FUNCTION timeline.only_said();
ALTER TABLE timeline.rows ENABLE ALWAYS TRIGGER rows_insert;
ALTER TABLE timeline.prunes ENABLE ALWAYS TRIGGER prunes_insert;

GRANT USAGE ON SCHEMA timeline TO stella_app;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA timeline TO stella_app;
GRANT UPDATE (seq, hash, at_us) ON timeline.heads TO stella_app;
GRANT DELETE ON timeline.bodies, timeline.refs TO stella_app;

DO $$
DECLARE t regclass;
BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'timeline' LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %s TO stella_app USING (tenant_id = (SELECT transport.tenant())) WITH CHECK (tenant_id = (SELECT transport.tenant()))', t);
  END LOOP;
END $$;
