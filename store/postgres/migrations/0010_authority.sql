-- Who may do what: tenants, users, clients and keys, and what was granted, revoked and
-- noted. It is Authority's alone; see package store/account. Secrets are hashes, private
-- keys sealed. Times are microseconds since 1970 by the database's clock, 0 for none; mark
-- is of the last write, by which its writer knows it again.
CREATE SCHEMA authority;

CREATE TABLE authority.tenants (
  id text COLLATE "C" NOT NULL PRIMARY KEY, name text NOT NULL, disabled bigint NOT NULL, version bigint NOT NULL,
  created_us bigint NOT NULL, updated_us bigint NOT NULL, mark text NOT NULL);
CREATE TABLE authority.users (
  tenant text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, login text COLLATE "C" NOT NULL, name text NOT NULL, email text NOT NULL,
  password text NOT NULL, scopes text NOT NULL, disabled bigint NOT NULL, failures bigint NOT NULL DEFAULT 0, locked_us bigint NOT NULL DEFAULT 0,
  version bigint NOT NULL, created_us bigint NOT NULL, updated_us bigint NOT NULL, mark text NOT NULL,
  PRIMARY KEY (tenant, id));
CREATE UNIQUE INDEX users_login ON authority.users (tenant, login);
CREATE TABLE authority.clients (
  id text COLLATE "C" NOT NULL PRIMARY KEY, tenant text COLLATE "C" NOT NULL, name text NOT NULL, public bigint NOT NULL, keys bytea NOT NULL, secret text NOT NULL,
  redirects text NOT NULL, grants text NOT NULL, scopes text NOT NULL, plain bigint NOT NULL, disabled bigint NOT NULL,
  version bigint NOT NULL, created_us bigint NOT NULL, updated_us bigint NOT NULL, mark text NOT NULL);
CREATE INDEX clients_tenant ON authority.clients (tenant, id);
-- Those that tokens are signed with.
CREATE TABLE authority.keys (
  id text COLLATE "C" NOT NULL PRIMARY KEY, algorithm text NOT NULL, public bytea NOT NULL, sealed bytea NOT NULL,
  created_us bigint NOT NULL, active_us bigint NOT NULL, ended_us bigint NOT NULL, mark text NOT NULL);
CREATE TABLE authority.api_keys (
  id text COLLATE "C" NOT NULL PRIMARY KEY, tenant text COLLATE "C" NOT NULL, subject text COLLATE "C" NOT NULL, name text NOT NULL,
  hash bytea NOT NULL CHECK (length(hash) = 32), scopes text NOT NULL, expires_us bigint NOT NULL, revoked_us bigint NOT NULL, created_us bigint NOT NULL, mark text NOT NULL);
CREATE INDEX api_keys_tenant ON authority.api_keys (tenant, id);

-- Codes and refresh tokens, kept until they expire: a second use is seen.
CREATE TABLE authority.grants (
  hash bytea NOT NULL PRIMARY KEY CHECK (length(hash) = 32), kind text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'open', 'denied', 'used')),
  user_code text COLLATE "C" NOT NULL, family text COLLATE "C" NOT NULL, tenant text COLLATE "C" NOT NULL, client text COLLATE "C" NOT NULL, user_id text COLLATE "C" NOT NULL,
  scopes text NOT NULL, jkt text NOT NULL, data bytea NOT NULL, auth_us bigint NOT NULL, created_us bigint NOT NULL, expires_us bigint NOT NULL, mark text NOT NULL);
CREATE UNIQUE INDEX grants_code ON authority.grants (user_code) WHERE user_code <> '';
CREATE INDEX grants_family ON authority.grants (family);
CREATE INDEX grants_client ON authority.grants (client);
CREATE INDEX grants_user ON authority.grants (tenant, user_id);
CREATE INDEX grants_over ON authority.grants (expires_us);
-- What ends tokens before their time. Who revokes takes the table alone, who adds or opens
-- a grant shares it: so numbers are seen in their order, and no grant slips past.
CREATE TABLE authority.revocations (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text COLLATE "C" NOT NULL, id text COLLATE "C" NOT NULL, tenant text COLLATE "C" NOT NULL,
  before_us bigint NOT NULL, until_us bigint NOT NULL, by_whom text NOT NULL, reason text NOT NULL,
  UNIQUE (kind, id));
CREATE TABLE authority.journal (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text COLLATE "C" NOT NULL, at_us bigint NOT NULL,
  action text NOT NULL, subject text NOT NULL, client text NOT NULL, detail text NOT NULL);
CREATE INDEX journal_tenant ON authority.journal (tenant, seq);
CREATE INDEX journal_time ON authority.journal (at_us);

-- A grant that was used, or denied, is never open again.
CREATE FUNCTION authority.only_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> OLD.state AND NOT (OLD.state = 'pending' OR OLD.state = 'open' AND NEW.state = 'used') THEN
    RAISE EXCEPTION 'a grant that is % never becomes %', OLD.state, NEW.state USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER grants_update BEFORE UPDATE ON authority.grants FOR EACH ROW EXECUTE FUNCTION authority.only_forward();
CREATE FUNCTION authority.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of %.% are never changed', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER journal_update BEFORE UPDATE ON authority.journal FOR EACH ROW EXECUTE FUNCTION authority.refuse();
-- Also for a session that calls itself a replica.
ALTER TABLE authority.grants ENABLE ALWAYS TRIGGER grants_update;
ALTER TABLE authority.journal ENABLE ALWAYS TRIGGER journal_update;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'stella_authority') THEN
    CREATE ROLE stella_authority NOLOGIN NOINHERIT;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- another database of this server was set up at the same time
END $$;
REVOKE ALL ON SCHEMA authority FROM PUBLIC;
GRANT USAGE ON SCHEMA authority TO stella_authority;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA authority TO stella_authority;
GRANT UPDATE (name, disabled, version, updated_us, mark) ON authority.tenants TO stella_authority;
GRANT UPDATE (login, name, email, password, scopes, disabled, failures, locked_us, version, updated_us, mark) ON authority.users TO stella_authority;
GRANT UPDATE (name, public, keys, secret, redirects, grants, scopes, plain, disabled, version, updated_us, mark) ON authority.clients TO stella_authority;
GRANT UPDATE (active_us, ended_us, mark) ON authority.keys TO stella_authority;
GRANT UPDATE (revoked_us, mark) ON authority.api_keys TO stella_authority;
GRANT UPDATE (state, user_code, tenant, user_id, scopes, auth_us, mark) ON authority.grants TO stella_authority;
GRANT DELETE ON authority.grants, authority.revocations, authority.journal TO stella_authority;

-- No other role sees a row, whatever somebody grants it later.
DO $$
DECLARE t regclass;
BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = 'authority' LOOP
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY authority ON %s TO stella_authority USING (true) WITH CHECK (true)', t);
  END LOOP;
END $$;
