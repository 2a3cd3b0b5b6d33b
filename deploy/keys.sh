#!/bin/sh
# Makes what processes know each other by, and the passwords of engines, in secrets/. What
# is there stays. Needs openssl and stella. Processes run in the group 65532: only root can
# give them files, so run it as root, or say chgrp -R 65532 secrets afterwards.
set -eu
cd "$(dirname "$0")"
umask 027
mkdir -p secrets/trust
have() { [ -s "secrets/$1" ]; }
for name in gateway worker export-center scanner-web; do
  have "$name.key" || openssl genpkey -algorithm ed25519 -out "secrets/$name.key"
  openssl pkey -in "secrets/$name.key" -pubout -out "secrets/trust/$name.pem"
done
for name in seal pull links owner-password store-password valkey s3; do
  have "$name" || openssl rand -hex 32 > "secrets/$name"
done
for name in signing log checkpoints; do
  have "$name.key" || stella attest keygen --no-password "secrets/$name"
done
have root.json || stella attest trust secrets/root.json --key secrets/signing.pub --log-key log.stella.example=secrets/log.pub
# A certificate to try it with. Yours belong here as tls.crt and tls.key.
have tls.crt || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=stella.example \
  -addext subjectAltName=DNS:stella.example -keyout secrets/tls.key -out secrets/tls.crt 2>/dev/null
secret() { cat "secrets/$1"; }
have owner  || echo "postgres://owner:$(secret owner-password)@postgres/stella" > secrets/owner
have store  || echo "postgres://stella:$(secret store-password)@postgres/stella" > secrets/store
have queue  || echo "valkey://:$(secret valkey)@valkey:6379?prefix=stella" > secrets/queue
have cache  || echo "valkey://:$(secret valkey)@valkey:6379/1?prefix=stella" > secrets/cache
have bucket || echo "s3://stella:$(secret s3)@artifacts?endpoint=http://rustfs:9000&path_style=true" > secrets/bucket
chmod -R g+rX,o-rwx secrets
chgrp -R 65532 secrets 2>/dev/null || echo "processes cannot read secrets/ yet: as root, chgrp -R 65532 secrets" >&2
echo "secrets/ is ready. Keep a copy of it: without seal no token can be signed, without signing.key no proof."
