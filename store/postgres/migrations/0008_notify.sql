-- Who is told what: settings, groups of notices, deliveries and their attempts. Every
-- row is of one tenant. Times are microseconds since 1970 by the database's clock.
CREATE SCHEMA notify;

-- How often a tenant's settings were changed. Who decides by them shares the row, who
-- changes them takes it.
CREATE TABLE notify.revisions (tenant_id text COLLATE "C" PRIMARY KEY, number bigint NOT NULL);
-- Settings as they were made: the newest number of each kind and id stands. A body that
-- is null says that it was deleted. The revision is the tenant's that it came with.
CREATE TABLE notify.settings (
  tenant_id text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL CHECK (kind IN ('endpoint', 'rule', 'template', 'maintenance', 'inhibition')), id text COLLATE "C" NOT NULL,
  number bigint NOT NULL, revision bigint NOT NULL, body bytea, by_whom text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, kind, id, number));
-- Preferences of users in the same way. The channel is an endpoint's id.
CREATE TABLE notify.user_notification_preferences (
  tenant_id text COLLATE "C" NOT NULL, user_id text COLLATE "C" NOT NULL, channel text COLLATE "C" NOT NULL, number bigint NOT NULL, id text COLLATE "C" NOT NULL,
  revision bigint NOT NULL, body bytea, by_whom text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, user_id, channel, number));
CREATE INDEX user_notification_preferences_id ON notify.user_notification_preferences (tenant_id, id, number);

-- What comes together in one message. One without a due time is not open.
CREATE TABLE notify.groups (
  tenant_id text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, rule_id text NOT NULL DEFAULT '', endpoint text COLLATE "C" NOT NULL DEFAULT '', recipient text COLLATE "C" NOT NULL DEFAULT '', key text COLLATE "C" NOT NULL DEFAULT '',
  window_us bigint NOT NULL DEFAULT 0, due_us bigint NOT NULL DEFAULT 0, notices bigint NOT NULL DEFAULT 0, severity text NOT NULL DEFAULT '',
  leaders bigint NOT NULL DEFAULT 0, silenced text NOT NULL DEFAULT '', incident text COLLATE "C" NOT NULL DEFAULT '', updated_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE INDEX groups_due ON notify.groups (due_us) WHERE due_us > 0;
CREATE INDEX groups_closed ON notify.groups (tenant_id, updated_us) WHERE due_us = 0;
-- What one event brought into a window of a group; n counts them within it.
CREATE TABLE notify.items (
  tenant_id text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL, group_id text COLLATE "C" NOT NULL, window_us bigint NOT NULL, n bigint NOT NULL, event_id text NOT NULL,
  notices bigint NOT NULL, body text NOT NULL, at_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, key));
CREATE INDEX items_window ON notify.items (tenant_id, group_id, window_us, n);
CREATE INDEX items_age ON notify.items (tenant_id, at_us);
-- Which scans a window tells of.
CREATE TABLE notify.item_scans (
  tenant_id text COLLATE "C" NOT NULL, scan_id text COLLATE "C" NOT NULL, group_id text COLLATE "C" NOT NULL, window_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, group_id, window_us));
CREATE INDEX item_scans_window ON notify.item_scans (tenant_id, group_id, window_us);
CREATE TABLE notify.inhibitors (
  tenant_id text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, event_id text NOT NULL, until_us bigint NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE TABLE notify.incidents (
  tenant_id text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, rule_id text NOT NULL, group_id text COLLATE "C" NOT NULL, revision bigint NOT NULL, message text NOT NULL, opened_us bigint NOT NULL,
  step bigint NOT NULL, due_us bigint NOT NULL, acknowledged_us bigint NOT NULL, acknowledged_by text NOT NULL, note text NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE INDEX incidents_due ON notify.incidents (due_us) WHERE due_us > 0;
-- Messages as they are sent. A round is one request to send it; the slot is when the
-- pace of its endpoint lets it. What is parked for its endpoint goes on with it.
CREATE TABLE notify.notification_deliveries (
  tenant_id text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, status text COLLATE "C" NOT NULL CHECK (status IN ('pending', 'sending', 'delivered', 'parked', 'dead', 'suppressed')),
  kind text COLLATE "C" NOT NULL, rule_id text NOT NULL, endpoint text COLLATE "C" NOT NULL, recipient text COLLATE "C" NOT NULL, user_id text COLLATE "C" NOT NULL, group_id text COLLATE "C" NOT NULL, window_us bigint NOT NULL,
  title text NOT NULL, severity text NOT NULL, total bigint NOT NULL, incident text COLLATE "C" NOT NULL, notes text NOT NULL, media_type text NOT NULL, digest text NOT NULL,
  created_us bigint NOT NULL, updated_us bigint NOT NULL, due_us bigint NOT NULL, reason text NOT NULL, parked text NOT NULL DEFAULT '',
  attempt bigint NOT NULL DEFAULT 0, attempts bigint NOT NULL DEFAULT 0, duplicate bigint NOT NULL DEFAULT 0,
  round bigint NOT NULL, epoch bigint NOT NULL DEFAULT 0, holder text NOT NULL DEFAULT '', until_us bigint NOT NULL DEFAULT 0, slot_us bigint NOT NULL DEFAULT 0,
  replayed_us bigint NOT NULL DEFAULT 0, replayed_by text NOT NULL DEFAULT '', payload bytea NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE INDEX notification_deliveries_newest ON notify.notification_deliveries (tenant_id, created_us, id);
CREATE INDEX notification_deliveries_status ON notify.notification_deliveries (tenant_id, status, endpoint, recipient);
CREATE INDEX notification_deliveries_window ON notify.notification_deliveries (tenant_id, group_id, window_us);
CREATE INDEX notification_deliveries_held ON notify.notification_deliveries (until_us) WHERE status = 'sending';
CREATE INDEX notification_deliveries_ended ON notify.notification_deliveries (tenant_id, updated_us) WHERE status IN ('delivered', 'dead', 'suppressed');
CREATE TABLE notify.attempts (
  tenant_id text COLLATE "C" NOT NULL, delivery_id text COLLATE "C" NOT NULL, number bigint NOT NULL, holder text NOT NULL, duplicate bigint NOT NULL, started_us bigint NOT NULL,
  outcome text NOT NULL DEFAULT 'open' CHECK (outcome IN ('open', 'delivered', 'not_sent', 'refused', 'unknown')),
  ended_us bigint NOT NULL DEFAULT 0, latency_us bigint NOT NULL DEFAULT 0, status bigint NOT NULL DEFAULT 0, answer text NOT NULL DEFAULT '', reference text NOT NULL DEFAULT '',
  after_us bigint NOT NULL DEFAULT 0, reason text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, delivery_id, number));
-- How endpoints do, for each receiver: failures in a row, until when nothing is sent,
-- who tries whether it is back, when the last one was sent, and the next free slot.
CREATE TABLE notify.endpoint_states (
  tenant_id text COLLATE "C" NOT NULL, endpoint text COLLATE "C" NOT NULL, recipient text COLLATE "C" NOT NULL, failures bigint NOT NULL DEFAULT 0, rest_us bigint NOT NULL DEFAULT 0,
  probe text NOT NULL DEFAULT '', probe_us bigint NOT NULL DEFAULT 0, sent_us bigint NOT NULL DEFAULT 0, slot_us bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, endpoint, recipient));
-- What counts in a report, so that nobody reads all its findings for it; empty in rows
-- of earlier releases.
ALTER TABLE scanner.reports ADD COLUMN facts text NOT NULL DEFAULT '';

CREATE FUNCTION notify.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of %.% are never changed or deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
-- They go with what they hang on, and not while it is open.
CREATE FUNCTION notify.refuse_while_needed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE needed boolean;
BEGIN
  CASE TG_TABLE_NAME
  WHEN 'items' THEN
    needed := EXISTS (SELECT FROM notify.notification_deliveries d WHERE d.tenant_id = OLD.tenant_id AND d.group_id = OLD.group_id AND d.window_us = OLD.window_us)
      OR EXISTS (SELECT FROM notify.groups g WHERE g.tenant_id = OLD.tenant_id AND g.id = OLD.group_id AND g.window_us = OLD.window_us AND g.due_us > 0);
  WHEN 'item_scans' THEN
    needed := EXISTS (SELECT FROM notify.items i WHERE i.tenant_id = OLD.tenant_id AND i.group_id = OLD.group_id AND i.window_us = OLD.window_us);
  WHEN 'notification_deliveries' THEN
    needed := OLD.status NOT IN ('delivered', 'dead', 'suppressed');
  WHEN 'attempts' THEN
    needed := EXISTS (SELECT FROM notify.notification_deliveries d WHERE d.tenant_id = OLD.tenant_id AND d.id = OLD.delivery_id);
  ELSE
    needed := OLD.due_us > 0;
  END CASE;
  IF needed THEN
    RAISE EXCEPTION 'rows of %.% that are needed are never deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN OLD;
END $$;
-- What may change of a row changes as it should.
CREATE FUNCTION notify.refuse_to_go_back() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE back boolean;
BEGIN
  CASE TG_TABLE_NAME
  WHEN 'revisions' THEN
    back := NEW.tenant_id <> OLD.tenant_id OR NEW.number < OLD.number;
  WHEN 'notification_deliveries' THEN
    back := OLD.status IN ('delivered', 'suppressed') AND NEW.status <> OLD.status;
  WHEN 'attempts' THEN
    back := OLD.outcome <> 'open';
  ELSE
    back := OLD.acknowledged_us > 0 AND (NEW.acknowledged_us <> OLD.acknowledged_us OR NEW.acknowledged_by <> OLD.acknowledged_by OR NEW.note <> OLD.note OR NEW.due_us > 0);
  END CASE;
  IF back THEN
    RAISE EXCEPTION 'rows of %.% are never changed back', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['settings', 'user_notification_preferences', 'items', 'item_scans'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON notify.%I FOR EACH ROW EXECUTE FUNCTION notify.refuse()', t || '_update', t);
  END LOOP;
  FOREACH t IN ARRAY ARRAY['revisions', 'notification_deliveries', 'attempts', 'incidents'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON notify.%I FOR EACH ROW EXECUTE FUNCTION notify.refuse_to_go_back()', t || '_update', t);
  END LOOP;
  EXECUTE 'CREATE TRIGGER deliveries_fixed BEFORE UPDATE OF tenant_id, id, kind, rule_id, endpoint, recipient, user_id, group_id, window_us, title, severity, total, incident, notes, media_type, digest, created_us, payload
    ON notify.notification_deliveries FOR EACH ROW EXECUTE FUNCTION notify.refuse()';
  EXECUTE 'CREATE TRIGGER attempts_fixed BEFORE UPDATE OF tenant_id, delivery_id, number, holder, duplicate, started_us ON notify.attempts FOR EACH ROW EXECUTE FUNCTION notify.refuse()';
  EXECUTE 'CREATE TRIGGER incidents_fixed BEFORE UPDATE OF tenant_id, id, rule_id, group_id, revision, message, opened_us ON notify.incidents FOR EACH ROW EXECUTE FUNCTION notify.refuse()';
  ALTER TABLE notify.notification_deliveries ENABLE ALWAYS TRIGGER deliveries_fixed;
  ALTER TABLE notify.attempts ENABLE ALWAYS TRIGGER attempts_fixed;
  ALTER TABLE notify.incidents ENABLE ALWAYS TRIGGER incidents_fixed;
  FOREACH t IN ARRAY ARRAY['settings', 'user_notification_preferences', 'items', 'item_scans', 'revisions', 'notification_deliveries', 'attempts', 'incidents'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE DELETE ON notify.%I FOR EACH ROW EXECUTE FUNCTION notify.%I()', t || '_delete', t,
      CASE WHEN t IN ('settings', 'user_notification_preferences', 'revisions') THEN 'refuse' ELSE 'refuse_while_needed' END);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON notify.%I FOR EACH STATEMENT EXECUTE FUNCTION notify.refuse()', t || '_truncate', t);
    -- Also for a session that calls itself a replica.
    EXECUTE format('ALTER TABLE notify.%I ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I, ENABLE ALWAYS TRIGGER %I', t, t || '_update', t || '_delete', t || '_truncate');
  END LOOP;
END $$;

GRANT USAGE ON SCHEMA notify TO stella_app, stella_relay;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA notify TO stella_app;
GRANT UPDATE (number) ON notify.revisions TO stella_app;
GRANT UPDATE ON notify.groups, notify.inhibitors, notify.endpoint_states TO stella_app;
GRANT UPDATE (step, due_us, acknowledged_us, acknowledged_by, note) ON notify.incidents TO stella_app;
GRANT UPDATE (status, updated_us, due_us, reason, parked, attempt, attempts, duplicate, round, epoch, holder, until_us, slot_us, replayed_us, replayed_by) ON notify.notification_deliveries TO stella_app;
GRANT UPDATE (outcome, ended_us, latency_us, status, answer, reference, after_us, reason) ON notify.attempts TO stella_app;
GRANT DELETE ON notify.groups, notify.items, notify.item_scans, notify.inhibitors, notify.incidents, notify.notification_deliveries, notify.attempts, notify.endpoint_states TO stella_app;
GRANT SELECT (tenant_id) ON notify.revisions TO stella_relay;
GRANT SELECT (tenant_id, id, due_us) ON notify.groups, notify.incidents TO stella_relay;
GRANT SELECT (tenant_id, id, status, until_us) ON notify.notification_deliveries TO stella_relay;

DO $$
DECLARE t regclass;
BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'notify' LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %s TO stella_app USING (tenant_id = (SELECT transport.tenant())) WITH CHECK (tenant_id = (SELECT transport.tenant()))', t);
  END LOOP;
END $$;
CREATE POLICY relay ON notify.revisions FOR SELECT TO stella_relay USING (true);
CREATE POLICY relay ON notify.groups FOR SELECT TO stella_relay USING (true);
CREATE POLICY relay ON notify.incidents FOR SELECT TO stella_relay USING (true);
CREATE POLICY relay ON notify.notification_deliveries FOR SELECT TO stella_relay USING (true);

-- What is pending and no job, in its order: the relay need not look over all jobs for it.
DROP INDEX transport.outbox_pending;
CREATE INDEX outbox_pending ON transport.outbox (seq) WHERE state = 0 AND topic NOT IN ('scanner:jobs', 'scheduler:evaluations', 'export:jobs', 'notify:deliveries');
-- Deliveries that wait, each for a time of its own.
CREATE INDEX outbox_times ON transport.outbox (priority, tenant_id, not_before_us, seq) WHERE state = 0 AND topic = 'notify:deliveries';
-- Who delivers notes each message: the group is always there.
INSERT INTO transport.groups (topic, group_name, types) VALUES ('notify:deliveries', 'delivery-workers', '') ON CONFLICT (topic, group_name) DO NOTHING;

-- Compared with the outbox, whose tenants are in the order of their bytes: by another
-- collation the index of what was consumed is of no use there, and each row is looked for in
-- all of them. A column that policies name cannot change under them.
DROP POLICY tenant ON transport.inbox;
DROP POLICY relay ON transport.inbox;
DROP POLICY nobody ON transport.inbox;
DROP POLICY excititor ON transport.inbox;
ALTER TABLE transport.inbox ALTER COLUMN tenant_id TYPE text COLLATE "C";
CREATE POLICY tenant ON transport.inbox TO stella_app USING (tenant_id = (SELECT transport.tenant())) WITH CHECK (tenant_id = (SELECT transport.tenant()));
CREATE POLICY relay ON transport.inbox TO stella_relay USING (true);
CREATE POLICY nobody ON transport.inbox TO stella_concelier USING (tenant_id = '') WITH CHECK (tenant_id = '');
CREATE POLICY excititor ON transport.inbox TO stella_excititor USING (tenant_id = '') WITH CHECK (tenant_id = '');
