-- Who may do what: tenants, users, clients and keys, and what was granted, revoked and
-- noted. It is Authority's alone; see package store/account. Secrets are hashes, private
-- keys sealed. Times are microseconds since 1970 by this machine's clock, 0 for none; mark
-- is of the last write, by which its writer knows it again.

CREATE TABLE authority_tenants (
  id text NOT NULL PRIMARY KEY, name text NOT NULL, disabled integer NOT NULL, version integer NOT NULL,
  created_us integer NOT NULL, updated_us integer NOT NULL, mark text NOT NULL);
CREATE TABLE authority_users (
  tenant text NOT NULL, id text NOT NULL, login text NOT NULL, name text NOT NULL, email text NOT NULL,
  password text NOT NULL, scopes text NOT NULL, disabled integer NOT NULL, failures integer NOT NULL DEFAULT 0, locked_us integer NOT NULL DEFAULT 0,
  version integer NOT NULL, created_us integer NOT NULL, updated_us integer NOT NULL, mark text NOT NULL,
  PRIMARY KEY (tenant, id));
CREATE UNIQUE INDEX authority_users_login ON authority_users (tenant, login);
CREATE TABLE authority_clients (
  id text NOT NULL PRIMARY KEY, tenant text NOT NULL, name text NOT NULL, public integer NOT NULL, keys blob NOT NULL, secret text NOT NULL,
  redirects text NOT NULL, grants text NOT NULL, scopes text NOT NULL, plain integer NOT NULL, disabled integer NOT NULL,
  version integer NOT NULL, created_us integer NOT NULL, updated_us integer NOT NULL, mark text NOT NULL);
CREATE INDEX authority_clients_tenant ON authority_clients (tenant, id);
-- Those that tokens are signed with.
CREATE TABLE authority_keys (
  id text NOT NULL PRIMARY KEY, algorithm text NOT NULL, public blob NOT NULL, sealed blob NOT NULL,
  created_us integer NOT NULL, active_us integer NOT NULL, ended_us integer NOT NULL, mark text NOT NULL);
CREATE TABLE authority_api_keys (
  id text NOT NULL PRIMARY KEY, tenant text NOT NULL, subject text NOT NULL, name text NOT NULL,
  hash blob NOT NULL CHECK (length(hash) = 32), scopes text NOT NULL, expires_us integer NOT NULL, revoked_us integer NOT NULL, created_us integer NOT NULL, mark text NOT NULL);
CREATE INDEX authority_api_keys_tenant ON authority_api_keys (tenant, id);

-- Codes and refresh tokens, kept until they expire: a second use is seen.
CREATE TABLE authority_grants (
  hash blob NOT NULL PRIMARY KEY CHECK (length(hash) = 32), kind text NOT NULL,
  state text NOT NULL CHECK (state IN ('pending', 'open', 'denied', 'used')),
  user_code text NOT NULL, family text NOT NULL, tenant text NOT NULL, client text NOT NULL, user_id text NOT NULL,
  scopes text NOT NULL, jkt text NOT NULL, data blob NOT NULL, auth_us integer NOT NULL, created_us integer NOT NULL, expires_us integer NOT NULL, mark text NOT NULL);
CREATE UNIQUE INDEX authority_grants_code ON authority_grants (user_code) WHERE user_code <> '';
CREATE INDEX authority_grants_family ON authority_grants (family);
CREATE INDEX authority_grants_client ON authority_grants (client);
CREATE INDEX authority_grants_user ON authority_grants (tenant, user_id);
CREATE INDEX authority_grants_over ON authority_grants (expires_us);
-- What ends tokens before their time. No number is given twice.
CREATE TABLE authority_revocations (
  seq integer PRIMARY KEY AUTOINCREMENT, kind text NOT NULL, id text NOT NULL, tenant text NOT NULL,
  before_us integer NOT NULL, until_us integer NOT NULL, by_whom text NOT NULL, reason text NOT NULL,
  UNIQUE (kind, id));
CREATE TABLE authority_journal (
  seq integer PRIMARY KEY AUTOINCREMENT, tenant text NOT NULL, at_us integer NOT NULL,
  action text NOT NULL, subject text NOT NULL, client text NOT NULL, detail text NOT NULL);
CREATE INDEX authority_journal_tenant ON authority_journal (tenant, seq);
CREATE INDEX authority_journal_time ON authority_journal (at_us);

-- A grant that was used, or denied, is never open again.
CREATE TRIGGER authority_grants_update BEFORE UPDATE ON authority_grants
  WHEN NEW.state <> OLD.state AND NOT (OLD.state = 'pending' OR OLD.state = 'open' AND NEW.state = 'used')
BEGIN SELECT RAISE(ABORT, 'a grant that was used or denied is never open again'); END;
CREATE TRIGGER authority_journal_update BEFORE UPDATE ON authority_journal BEGIN SELECT RAISE(ABORT, 'entries of the journal are never changed'); END;
