-- Who is told what: settings, groups of notices, deliveries and their attempts. Every
-- row is of one tenant. Times are microseconds since 1970 by this machine's clock.

-- How often a tenant's settings were changed. Who decides by them shares the row, who
-- changes them takes it.
CREATE TABLE notify_revisions (tenant_id text PRIMARY KEY, number integer NOT NULL);
-- Settings as they were made: the newest number of each kind and id stands. A body that
-- is null says that it was deleted. The revision is the tenant's that it came with.
CREATE TABLE notify_settings (
  tenant_id text NOT NULL, kind text NOT NULL CHECK (kind IN ('endpoint', 'rule', 'template', 'maintenance', 'inhibition')), id text NOT NULL,
  number integer NOT NULL, revision integer NOT NULL, body blob, by_whom text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, kind, id, number));
-- Preferences of users in the same way. The channel is an endpoint's id.
CREATE TABLE notify_user_notification_preferences (
  tenant_id text NOT NULL, user_id text NOT NULL, channel text NOT NULL, number integer NOT NULL, id text NOT NULL,
  revision integer NOT NULL, body blob, by_whom text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, user_id, channel, number));
CREATE INDEX notify_user_notification_preferences_id ON notify_user_notification_preferences (tenant_id, id, number);

-- What comes together in one message. One without a due time is not open.
CREATE TABLE notify_groups (
  tenant_id text NOT NULL, id text NOT NULL, rule_id text NOT NULL DEFAULT '', endpoint text NOT NULL DEFAULT '', recipient text NOT NULL DEFAULT '', key text NOT NULL DEFAULT '',
  window_us integer NOT NULL DEFAULT 0, due_us integer NOT NULL DEFAULT 0, notices integer NOT NULL DEFAULT 0, severity text NOT NULL DEFAULT '',
  leaders integer NOT NULL DEFAULT 0, silenced text NOT NULL DEFAULT '', incident text NOT NULL DEFAULT '', updated_us integer NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE INDEX notify_groups_due ON notify_groups (due_us) WHERE due_us > 0;
CREATE INDEX notify_groups_closed ON notify_groups (tenant_id, updated_us) WHERE due_us = 0;
-- What one event brought into a window of a group; n counts them within it.
CREATE TABLE notify_items (
  tenant_id text NOT NULL, key text NOT NULL, group_id text NOT NULL, window_us integer NOT NULL, n integer NOT NULL, event_id text NOT NULL,
  notices integer NOT NULL, body text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, key));
CREATE INDEX notify_items_window ON notify_items (tenant_id, group_id, window_us, n);
CREATE INDEX notify_items_age ON notify_items (tenant_id, at_us);
-- Which scans a window tells of.
CREATE TABLE notify_item_scans (
  tenant_id text NOT NULL, scan_id text NOT NULL, group_id text NOT NULL, window_us integer NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, group_id, window_us)) WITHOUT ROWID;
CREATE INDEX notify_item_scans_window ON notify_item_scans (tenant_id, group_id, window_us);
CREATE TABLE notify_inhibitors (
  tenant_id text NOT NULL, id text NOT NULL, event_id text NOT NULL, until_us integer NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE TABLE notify_incidents (
  tenant_id text NOT NULL, id text NOT NULL, rule_id text NOT NULL, group_id text NOT NULL, revision integer NOT NULL, message text NOT NULL, opened_us integer NOT NULL,
  step integer NOT NULL, due_us integer NOT NULL, acknowledged_us integer NOT NULL, acknowledged_by text NOT NULL, note text NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE INDEX notify_incidents_due ON notify_incidents (due_us) WHERE due_us > 0;
-- Messages as they are sent. A round is one request to send it; the slot is when the
-- pace of its endpoint lets it. What is parked for its endpoint goes on with it.
CREATE TABLE notify_notification_deliveries (
  tenant_id text NOT NULL, id text NOT NULL, status text NOT NULL CHECK (status IN ('pending', 'sending', 'delivered', 'parked', 'dead', 'suppressed')),
  kind text NOT NULL, rule_id text NOT NULL, endpoint text NOT NULL, recipient text NOT NULL, user_id text NOT NULL, group_id text NOT NULL, window_us integer NOT NULL,
  title text NOT NULL, severity text NOT NULL, total integer NOT NULL, incident text NOT NULL, notes text NOT NULL, media_type text NOT NULL, digest text NOT NULL,
  created_us integer NOT NULL, updated_us integer NOT NULL, due_us integer NOT NULL, reason text NOT NULL, parked text NOT NULL DEFAULT '',
  attempt integer NOT NULL DEFAULT 0, attempts integer NOT NULL DEFAULT 0, duplicate integer NOT NULL DEFAULT 0,
  round integer NOT NULL, epoch integer NOT NULL DEFAULT 0, holder text NOT NULL DEFAULT '', until_us integer NOT NULL DEFAULT 0, slot_us integer NOT NULL DEFAULT 0,
  replayed_us integer NOT NULL DEFAULT 0, replayed_by text NOT NULL DEFAULT '', payload blob NOT NULL,
  PRIMARY KEY (tenant_id, id));
CREATE INDEX notify_notification_deliveries_newest ON notify_notification_deliveries (tenant_id, created_us, id);
CREATE INDEX notify_notification_deliveries_status ON notify_notification_deliveries (tenant_id, status, endpoint, recipient);
CREATE INDEX notify_notification_deliveries_window ON notify_notification_deliveries (tenant_id, group_id, window_us);
CREATE INDEX notify_notification_deliveries_held ON notify_notification_deliveries (until_us) WHERE status = 'sending';
CREATE INDEX notify_notification_deliveries_ended ON notify_notification_deliveries (tenant_id, updated_us) WHERE status IN ('delivered', 'dead', 'suppressed');
CREATE TABLE notify_attempts (
  tenant_id text NOT NULL, delivery_id text NOT NULL, number integer NOT NULL, holder text NOT NULL, duplicate integer NOT NULL, started_us integer NOT NULL,
  outcome text NOT NULL DEFAULT 'open' CHECK (outcome IN ('open', 'delivered', 'not_sent', 'refused', 'unknown')),
  ended_us integer NOT NULL DEFAULT 0, latency_us integer NOT NULL DEFAULT 0, status integer NOT NULL DEFAULT 0, answer text NOT NULL DEFAULT '', reference text NOT NULL DEFAULT '',
  after_us integer NOT NULL DEFAULT 0, reason text NOT NULL DEFAULT '',
  PRIMARY KEY (tenant_id, delivery_id, number));
-- How endpoints do, for each receiver: failures in a row, until when nothing is sent,
-- who tries whether it is back, when the last one was sent, and the next free slot.
CREATE TABLE notify_endpoint_states (
  tenant_id text NOT NULL, endpoint text NOT NULL, recipient text NOT NULL, failures integer NOT NULL DEFAULT 0, rest_us integer NOT NULL DEFAULT 0,
  probe text NOT NULL DEFAULT '', probe_us integer NOT NULL DEFAULT 0, sent_us integer NOT NULL DEFAULT 0, slot_us integer NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, endpoint, recipient));
-- What counts in a report, so that nobody reads all its findings for it; empty in rows
-- of earlier releases.
ALTER TABLE scanner_reports ADD COLUMN facts text NOT NULL DEFAULT '';

CREATE TRIGGER notify_settings_update BEFORE UPDATE ON notify_settings BEGIN SELECT RAISE(ABORT, 'settings are never changed'); END;
CREATE TRIGGER notify_settings_delete BEFORE DELETE ON notify_settings BEGIN SELECT RAISE(ABORT, 'settings are never deleted'); END;
CREATE TRIGGER notify_preferences_update BEFORE UPDATE ON notify_user_notification_preferences BEGIN SELECT RAISE(ABORT, 'preferences are never changed'); END;
CREATE TRIGGER notify_preferences_delete BEFORE DELETE ON notify_user_notification_preferences BEGIN SELECT RAISE(ABORT, 'preferences are never deleted'); END;
CREATE TRIGGER notify_revisions_update BEFORE UPDATE ON notify_revisions WHEN NEW.tenant_id != OLD.tenant_id OR NEW.number < OLD.number
BEGIN SELECT RAISE(ABORT, 'revisions are never changed, they grow'); END;
CREATE TRIGGER notify_revisions_delete BEFORE DELETE ON notify_revisions BEGIN SELECT RAISE(ABORT, 'revisions are never deleted'); END;
CREATE TRIGGER notify_items_update BEFORE UPDATE ON notify_items BEGIN SELECT RAISE(ABORT, 'items are never changed'); END;
-- They go with the deliveries that tell of them, and not while their window is open.
CREATE TRIGGER notify_items_delete BEFORE DELETE ON notify_items
  WHEN EXISTS (SELECT 1 FROM notify_notification_deliveries d WHERE d.tenant_id = OLD.tenant_id AND d.group_id = OLD.group_id AND d.window_us = OLD.window_us)
    OR EXISTS (SELECT 1 FROM notify_groups g WHERE g.tenant_id = OLD.tenant_id AND g.id = OLD.group_id AND g.window_us = OLD.window_us AND g.due_us > 0)
BEGIN SELECT RAISE(ABORT, 'items that are needed are never deleted'); END;
CREATE TRIGGER notify_item_scans_update BEFORE UPDATE ON notify_item_scans BEGIN SELECT RAISE(ABORT, 'which scans items are about is never changed'); END;
CREATE TRIGGER notify_item_scans_delete BEFORE DELETE ON notify_item_scans
  WHEN EXISTS (SELECT 1 FROM notify_items i WHERE i.tenant_id = OLD.tenant_id AND i.group_id = OLD.group_id AND i.window_us = OLD.window_us)
BEGIN SELECT RAISE(ABORT, 'scans of items that are there are never deleted'); END;
CREATE TRIGGER notify_deliveries_fixed BEFORE UPDATE OF tenant_id, id, kind, rule_id, endpoint, recipient, user_id, group_id, window_us, title, severity, total, incident, notes, media_type, digest, created_us, payload
ON notify_notification_deliveries BEGIN SELECT RAISE(ABORT, 'what is delivered, and to whom, is never changed'); END;
CREATE TRIGGER notify_deliveries_ended BEFORE UPDATE OF status ON notify_notification_deliveries WHEN OLD.status IN ('delivered', 'suppressed') AND NEW.status != OLD.status
BEGIN SELECT RAISE(ABORT, 'deliveries that ended are never changed'); END;
CREATE TRIGGER notify_deliveries_delete BEFORE DELETE ON notify_notification_deliveries WHEN OLD.status NOT IN ('delivered', 'dead', 'suppressed')
BEGIN SELECT RAISE(ABORT, 'deliveries that are open are never deleted'); END;
CREATE TRIGGER notify_attempts_fixed BEFORE UPDATE OF tenant_id, delivery_id, number, holder, duplicate, started_us ON notify_attempts BEGIN SELECT RAISE(ABORT, 'attempts are never changed'); END;
CREATE TRIGGER notify_attempts_update BEFORE UPDATE ON notify_attempts WHEN OLD.outcome != 'open' BEGIN SELECT RAISE(ABORT, 'attempts can only be ended once'); END;
CREATE TRIGGER notify_attempts_delete BEFORE DELETE ON notify_attempts
  WHEN EXISTS (SELECT 1 FROM notify_notification_deliveries d WHERE d.tenant_id = OLD.tenant_id AND d.id = OLD.delivery_id)
BEGIN SELECT RAISE(ABORT, 'attempts of deliveries that are there are never deleted'); END;
CREATE TRIGGER notify_incidents_fixed BEFORE UPDATE OF tenant_id, id, rule_id, group_id, revision, message, opened_us ON notify_incidents BEGIN SELECT RAISE(ABORT, 'what happened is never changed'); END;
CREATE TRIGGER notify_incidents_acknowledged BEFORE UPDATE ON notify_incidents
  WHEN OLD.acknowledged_us > 0 AND (NEW.acknowledged_us != OLD.acknowledged_us OR NEW.acknowledged_by != OLD.acknowledged_by OR NEW.note != OLD.note OR NEW.due_us > 0)
BEGIN SELECT RAISE(ABORT, 'acknowledgements are never changed'); END;
CREATE TRIGGER notify_incidents_delete BEFORE DELETE ON notify_incidents WHEN OLD.due_us > 0 BEGIN SELECT RAISE(ABORT, 'incidents that are open are never deleted'); END;

-- What is pending and no job, in its order: the relay need not look over all jobs for it.
DROP INDEX outbox_pending;
CREATE INDEX outbox_pending ON transport_outbox (seq) WHERE state = 0 AND topic NOT IN ('scanner:jobs', 'scheduler:evaluations', 'export:jobs', 'notify:deliveries');
-- Deliveries that wait, each for a time of its own.
CREATE INDEX outbox_times ON transport_outbox (priority, tenant_id, not_before_us, seq) WHERE state = 0 AND topic = 'notify:deliveries';
-- Who delivers notes each message: the group is always there.
INSERT INTO transport_groups (topic, group_name, types) VALUES ('notify:deliveries', 'delivery-workers', '') ON CONFLICT (topic, group_name) DO NOTHING;
