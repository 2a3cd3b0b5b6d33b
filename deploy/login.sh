#!/bin/sh
# Makes the login that processes use, when the database is made. It owns nothing and
# inherits nothing: "stella migrate" gives it the roles that it takes.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v password="$(cat /run/secrets/store-password)" <<'SQL'
CREATE ROLE stella LOGIN NOINHERIT PASSWORD :'password';
SQL
