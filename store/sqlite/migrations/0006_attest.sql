-- Signatures, attestations, exports, and what is pushed. Every row is of one tenant.
-- Times are microseconds since 1970 by this machine's clock.

-- One signature of a payload by a key, for the scan that it was made for first.
CREATE TABLE attest_signatures (
  tenant_id text NOT NULL, payload text NOT NULL, key_id text NOT NULL, payload_type text NOT NULL, sig blob NOT NULL,
  scan_id text NOT NULL, predicate_type text NOT NULL, by_whom text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, payload, key_id));
CREATE INDEX attest_signatures_scan ON attest_signatures (tenant_id, scan_id);
-- Envelopes that were verified, by their digests; large ones are objects alone.
CREATE TABLE attest_attestations (
  tenant_id text NOT NULL, id text NOT NULL, envelope blob, size integer NOT NULL, chunks blob NOT NULL, payload text NOT NULL, key_id text NOT NULL,
  predicate_type text NOT NULL, scan_id text NOT NULL, at_us integer NOT NULL, guard integer NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, id));
CREATE INDEX attest_attestations_newest ON attest_attestations (tenant_id, at_us, id);
CREATE INDEX attest_attestations_payload ON attest_attestations (tenant_id, payload, key_id);
CREATE TABLE attest_subjects (
  tenant_id text NOT NULL, digest text NOT NULL, attestation text NOT NULL,
  PRIMARY KEY (tenant_id, digest, attestation));
CREATE INDEX attest_subjects_attestation ON attest_subjects (tenant_id, attestation);
-- Which proofs an attestation is to have, and those that it has, in their order.
CREATE TABLE attest_wanted (
  tenant_id text NOT NULL, attestation text NOT NULL, kind text NOT NULL CHECK (kind IN ('timestamp', 'log')),
  PRIMARY KEY (tenant_id, attestation, kind));
CREATE TABLE attest_proofs (
  tenant_id text NOT NULL, attestation text NOT NULL, kind text NOT NULL CHECK (kind IN ('timestamp', 'log')), number integer NOT NULL,
  source text NOT NULL, content blob NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, attestation, kind));
-- Which scans an attestation is kept for. It goes with the last of them.
CREATE TABLE attest_uses (
  tenant_id text NOT NULL, attestation text NOT NULL, scan_id text NOT NULL,
  PRIMARY KEY (tenant_id, attestation, scan_id));
CREATE INDEX attest_uses_scan ON attest_uses (tenant_id, scan_id);
-- The one row that points to what is exported of a scan in a format. The key, the
-- version and the inputs are those that are wanted; made says what is there, empty for
-- nothing. A round is one message.
CREATE TABLE attest_exports (
  tenant_id text NOT NULL, scan_id text NOT NULL, format text NOT NULL, state text NOT NULL CHECK (state IN ('queued', 'completed', 'failed')),
  key text NOT NULL, inputs text NOT NULL, version integer NOT NULL, round integer NOT NULL, attempt integer NOT NULL DEFAULT 0, reason text NOT NULL DEFAULT '',
  made text NOT NULL DEFAULT '', made_us integer NOT NULL DEFAULT 0, by_whom text NOT NULL, created_us integer NOT NULL, updated_us integer NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, format));
-- Which attestations are in the bundle that is there.
CREATE TABLE attest_bundled (
  tenant_id text NOT NULL, scan_id text NOT NULL, format text NOT NULL, attestation text NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, format, attestation));
CREATE INDEX attest_bundled_attestation ON attest_bundled (tenant_id, attestation);
CREATE TABLE attest_pushes (
  tenant_id text NOT NULL, scan_id text NOT NULL, format text NOT NULL, destination text NOT NULL, digest text NOT NULL,
  state text NOT NULL CHECK (state IN ('queued', 'completed', 'failed')), round integer NOT NULL, attempt integer NOT NULL DEFAULT 0,
  reason text NOT NULL DEFAULT '', receipt text NOT NULL DEFAULT '', updated_us integer NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, format, destination, digest));
-- What a tenant wants: the newest revision stands.
CREATE TABLE attest_settings (
  tenant_id text NOT NULL, number integer NOT NULL, body text NOT NULL, by_whom text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, number));
-- Which scans must not be deleted is what their newest rows say.
CREATE TABLE attest_holds (
  tenant_id text NOT NULL, scan_id text NOT NULL, number integer NOT NULL, held integer NOT NULL, reason text NOT NULL, by_whom text NOT NULL, at_us integer NOT NULL,
  PRIMARY KEY (tenant_id, scan_id, number));

CREATE TRIGGER attest_signatures_update BEFORE UPDATE ON attest_signatures BEGIN SELECT RAISE(ABORT, 'signatures are never changed'); END;
CREATE TRIGGER attest_attestations_update BEFORE UPDATE ON attest_attestations BEGIN SELECT RAISE(ABORT, 'attestations are never changed'); END;
CREATE TRIGGER attest_subjects_update BEFORE UPDATE ON attest_subjects BEGIN SELECT RAISE(ABORT, 'subjects are never changed'); END;
CREATE TRIGGER attest_wanted_update BEFORE UPDATE ON attest_wanted BEGIN SELECT RAISE(ABORT, 'what is wanted is never changed'); END;
CREATE TRIGGER attest_proofs_update BEFORE UPDATE ON attest_proofs BEGIN SELECT RAISE(ABORT, 'proofs are never changed'); END;
CREATE TRIGGER attest_uses_update BEFORE UPDATE ON attest_uses BEGIN SELECT RAISE(ABORT, 'uses are never changed'); END;
CREATE TRIGGER attest_settings_update BEFORE UPDATE ON attest_settings BEGIN SELECT RAISE(ABORT, 'settings are never changed'); END;
CREATE TRIGGER attest_settings_delete BEFORE DELETE ON attest_settings BEGIN SELECT RAISE(ABORT, 'settings are never deleted'); END;
CREATE TRIGGER attest_holds_update BEFORE UPDATE ON attest_holds BEGIN SELECT RAISE(ABORT, 'holds are never changed'); END;
-- The others go with the scans that they are about, and not before.
CREATE TRIGGER attest_signatures_delete BEFORE DELETE ON attest_signatures
  WHEN OLD.scan_id = '' OR EXISTS (SELECT 1 FROM scanner_scan_jobs j WHERE j.tenant_id = OLD.tenant_id AND j.job_id = OLD.scan_id)
    OR EXISTS (SELECT 1 FROM attest_attestations a WHERE a.tenant_id = OLD.tenant_id AND a.payload = OLD.payload AND a.key_id = OLD.key_id)
BEGIN SELECT RAISE(ABORT, 'signatures that are needed are never deleted'); END;
CREATE TRIGGER attest_attestations_delete BEFORE DELETE ON attest_attestations
  WHEN OLD.scan_id = '' OR EXISTS (SELECT 1 FROM attest_uses u WHERE u.tenant_id = OLD.tenant_id AND u.attestation = OLD.id)
BEGIN SELECT RAISE(ABORT, 'attestations that are needed are never deleted'); END;
CREATE TRIGGER attest_subjects_delete BEFORE DELETE ON attest_subjects
  WHEN EXISTS (SELECT 1 FROM attest_attestations a WHERE a.tenant_id = OLD.tenant_id AND a.id = OLD.attestation)
BEGIN SELECT RAISE(ABORT, 'subjects of attestations that are there are never deleted'); END;
CREATE TRIGGER attest_wanted_delete BEFORE DELETE ON attest_wanted
  WHEN EXISTS (SELECT 1 FROM attest_attestations a WHERE a.tenant_id = OLD.tenant_id AND a.id = OLD.attestation)
BEGIN SELECT RAISE(ABORT, 'what attestations want that are there is never deleted'); END;
CREATE TRIGGER attest_proofs_delete BEFORE DELETE ON attest_proofs
  WHEN EXISTS (SELECT 1 FROM attest_attestations a WHERE a.tenant_id = OLD.tenant_id AND a.id = OLD.attestation)
BEGIN SELECT RAISE(ABORT, 'proofs of attestations that are there are never deleted'); END;
CREATE TRIGGER attest_uses_delete BEFORE DELETE ON attest_uses
  WHEN EXISTS (SELECT 1 FROM scanner_scan_jobs j WHERE j.tenant_id = OLD.tenant_id AND j.job_id = OLD.scan_id)
BEGIN SELECT RAISE(ABORT, 'uses by scans that are there are never deleted'); END;
CREATE TRIGGER attest_holds_delete BEFORE DELETE ON attest_holds
  WHEN EXISTS (SELECT 1 FROM scanner_scan_jobs j WHERE j.tenant_id = OLD.tenant_id AND j.job_id = OLD.scan_id)
BEGIN SELECT RAISE(ABORT, 'holds of scans that are there are never deleted'); END;
-- Whoever deletes a scan has looked whether it is held; this looks once more.
CREATE TRIGGER scanner_scan_jobs_held BEFORE DELETE ON scanner_scan_jobs
  WHEN (SELECT h.held FROM attest_holds h WHERE h.tenant_id = OLD.tenant_id AND h.scan_id = OLD.job_id ORDER BY h.number DESC LIMIT 1) = 1
BEGIN SELECT RAISE(ABORT, 'scans that are held are never deleted'); END;

-- Who works on them notes each message: these groups are always there.
INSERT INTO transport_groups (topic, group_name, types) VALUES ('export:jobs', 'export-workers', ''), ('attestor:submissions', 'attestor-workers', '')
  ON CONFLICT (topic, group_name) DO NOTHING;
