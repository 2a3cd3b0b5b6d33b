-- What happened when: a chain of rows for each tenant. See package notify/timeline.
-- Times are microseconds since 1970 by this machine's clock.

-- The end of each chain, to lock. What the first row follows is made of the tenant.
CREATE TABLE timeline_heads (
  tenant_id text NOT NULL PRIMARY KEY, seq integer NOT NULL, hash blob NOT NULL, at_us integer NOT NULL);
CREATE TABLE timeline_rows (
  tenant_id text NOT NULL, seq integer NOT NULL, topic text NOT NULL, event_id text NOT NULL, type text NOT NULL,
  time_us integer NOT NULL, at_us integer NOT NULL, digest blob NOT NULL CHECK (length(digest) = 32), hash blob NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (tenant_id, seq));
CREATE UNIQUE INDEX timeline_rows_event ON timeline_rows (tenant_id, event_id, topic);
CREATE INDEX timeline_rows_type ON timeline_rows (tenant_id, type, seq);
CREATE INDEX timeline_rows_time ON timeline_rows (tenant_id, time_us, seq);
CREATE TABLE timeline_bodies (
  tenant_id text NOT NULL, seq integer NOT NULL, body blob NOT NULL,
  PRIMARY KEY (tenant_id, seq));
-- What rows are about, to find them by.
CREATE TABLE timeline_refs (
  tenant_id text NOT NULL, kind text NOT NULL, value text NOT NULL, seq integer NOT NULL,
  PRIMARY KEY (tenant_id, kind, value, seq)) WITHOUT ROWID;
CREATE INDEX timeline_refs_row ON timeline_refs (tenant_id, seq);
-- Which row says that bodies up to another one go.
CREATE TABLE timeline_prunes (
  tenant_id text NOT NULL, last integer NOT NULL, seq integer NOT NULL,
  PRIMARY KEY (tenant_id, last));
-- Checkpoints as they were signed: whoever keeps one of a number first wins.
CREATE TABLE timeline_checkpoints (
  tenant_id text NOT NULL, number integer NOT NULL, envelope blob NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, number));

CREATE TRIGGER timeline_heads_update BEFORE UPDATE ON timeline_heads
  WHEN NEW.tenant_id <> OLD.tenant_id OR NEW.seq <= OLD.seq OR NEW.at_us < OLD.at_us
    OR NOT EXISTS (SELECT 1 FROM timeline_rows r WHERE r.tenant_id = NEW.tenant_id AND r.seq = NEW.seq AND r.hash = NEW.hash)
BEGIN SELECT RAISE(ABORT, 'heads are never changed but to a later row'); END;
CREATE TRIGGER timeline_heads_delete BEFORE DELETE ON timeline_heads BEGIN SELECT RAISE(ABORT, 'heads are never deleted'); END;
CREATE TRIGGER timeline_rows_update BEFORE UPDATE ON timeline_rows BEGIN SELECT RAISE(ABORT, 'rows of a timeline are never changed'); END;
CREATE TRIGGER timeline_rows_delete BEFORE DELETE ON timeline_rows BEGIN SELECT RAISE(ABORT, 'rows of a timeline are never deleted'); END;
CREATE TRIGGER timeline_bodies_update BEFORE UPDATE ON timeline_bodies BEGIN SELECT RAISE(ABORT, 'bodies are never changed'); END;
CREATE TRIGGER timeline_bodies_delete BEFORE DELETE ON timeline_bodies
  WHEN NOT EXISTS (SELECT 1 FROM timeline_prunes p WHERE p.tenant_id = OLD.tenant_id AND p.last >= OLD.seq)
BEGIN SELECT RAISE(ABORT, 'bodies are never deleted before a row says so'); END;
CREATE TRIGGER timeline_refs_update BEFORE UPDATE ON timeline_refs BEGIN SELECT RAISE(ABORT, 'references are never changed'); END;
CREATE TRIGGER timeline_refs_delete BEFORE DELETE ON timeline_refs
  WHEN NOT EXISTS (SELECT 1 FROM timeline_prunes p WHERE p.tenant_id = OLD.tenant_id AND p.last >= OLD.seq)
BEGIN SELECT RAISE(ABORT, 'references are never deleted before a row says so'); END;
CREATE TRIGGER timeline_prunes_update BEFORE UPDATE ON timeline_prunes BEGIN SELECT RAISE(ABORT, 'what was said of bodies is never changed'); END;
CREATE TRIGGER timeline_prunes_delete BEFORE DELETE ON timeline_prunes BEGIN SELECT RAISE(ABORT, 'what was said of bodies is never deleted'); END;
CREATE TRIGGER timeline_checkpoints_update BEFORE UPDATE ON timeline_checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed'); END;
CREATE TRIGGER timeline_checkpoints_delete BEFORE DELETE ON timeline_checkpoints BEGIN SELECT RAISE(ABORT, 'checkpoints are never deleted'); END;
-- INSERT OR REPLACE deletes without telling the triggers above.
CREATE TRIGGER timeline_heads_insert BEFORE INSERT ON timeline_heads
  WHEN NEW.seq <> 0 OR EXISTS (SELECT 1 FROM timeline_heads h WHERE h.tenant_id = NEW.tenant_id)
BEGIN SELECT RAISE(ABORT, 'heads are never changed by adding one'); END;
CREATE TRIGGER timeline_rows_insert BEFORE INSERT ON timeline_rows
  WHEN NEW.seq <= (SELECT h.seq FROM timeline_heads h WHERE h.tenant_id = NEW.tenant_id)
    OR EXISTS (SELECT 1 FROM timeline_rows r WHERE r.tenant_id = NEW.tenant_id AND r.seq = NEW.seq)
    OR EXISTS (SELECT 1 FROM timeline_rows r WHERE r.tenant_id = NEW.tenant_id AND r.event_id = NEW.event_id AND r.topic = NEW.topic)
BEGIN SELECT RAISE(ABORT, 'rows of a timeline are never changed by adding one'); END;
CREATE TRIGGER timeline_bodies_insert BEFORE INSERT ON timeline_bodies
  WHEN EXISTS (SELECT 1 FROM timeline_bodies b WHERE b.tenant_id = NEW.tenant_id AND b.seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'bodies are never changed by adding one'); END;
-- Bodies go where the row with the number says so, in its id.
CREATE TRIGGER timeline_prunes_insert BEFORE INSERT ON timeline_prunes
  WHEN EXISTS (SELECT 1 FROM timeline_prunes p WHERE p.tenant_id = NEW.tenant_id AND p.last = NEW.last) OR NEW.last >= NEW.seq
    OR NOT EXISTS (SELECT 1 FROM timeline_rows r WHERE r.tenant_id = NEW.tenant_id AND r.seq = NEW.seq AND r.topic = 'timeline' AND r.event_id = 'timeline/pruned/' || NEW.last)
BEGIN SELECT RAISE(ABORT, 'bodies are never deleted before a row says so'); END;
CREATE TRIGGER timeline_checkpoints_insert BEFORE INSERT ON timeline_checkpoints
  WHEN EXISTS (SELECT 1 FROM timeline_checkpoints c WHERE c.tenant_id = NEW.tenant_id AND c.number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'checkpoints are never changed by adding one'); END;
