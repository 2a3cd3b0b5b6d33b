package usage_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/usage"
)

// officials are modelled on how well-known official images start.
var officials = []struct {
	name            string
	files           tree
	entrypoint, cmd string // words, separated by spaces
	env             []string
	dir             string
	reached, not    string // paths, separated by spaces
	languages       string // "name@root,root" or "name@*"
	unresolved      string // part of the only reason; "" is a complete view
}{
	{
		name: "nginx",
		files: with(debian, tree{
			"docker-entrypoint.sh": `#!/bin/sh
set -e
note() { if [ -z "${QUIET:-}" ]; then echo "$@"; fi; }
if [ "$1" = "nginx" ] || [ "$1" = "nginx-debug" ]; then
	if /usr/bin/find "/docker-entrypoint.d/" -mindepth 1 -type f -print -quit 2>/dev/null | read v; then
		note "$0: looking for scripts"
		find "/docker-entrypoint.d/" -follow -type f -print | sort -V | while read -r f; do
			case "$f" in
				*.envsh) if [ -x "$f" ]; then . "$f"; else note "$f"; fi ;;
				*.sh) if [ -x "$f" ]; then "$f"; fi ;;
				*) note "$f" ;;
			esac
		done
	fi
fi
exec "$@"
`,
			"docker-entrypoint.d/10-ipv6.sh":         "#!/bin/sh\n. /etc/os-release\ncase \"$ID\" in debian) sed -i x /etc/nginx/conf.d/default.conf;; esac\n",
			"docker-entrypoint.d/15-resolvers.envsh": "#!/bin/sh\nexport NGINX_LOCAL_RESOLVERS=$(awk 'BEGIN{ORS=\" \"} $1==\"nameserver\" {print $2}' /etc/resolv.conf)\n",
			"docker-entrypoint.d/20-envsubst.sh":     "#!/bin/sh\nrender() { envsubst \"$1\" < a > b; }\nrender x\nexit 0\n",
			"usr/sbin/nginx":                         "elf needs=libssl.so.3,libc.so.6 interp=/lib64/ld-linux-x86-64.so.2",
			"usr/bin/envsubst":                       "elf needs=libc.so.6", "usr/lib/nginx/modules/ngx_http_js_module.so": "so needs=libxml2.so.2",
			"usr/lib/x86_64-linux-gnu/libssl.so.3": "so needs=libc.so.6", "usr/lib/x86_64-linux-gnu/libxml2.so.2": "so",
		}),
		entrypoint: "/docker-entrypoint.sh", cmd: "nginx -g daemon_off;",
		reached: "docker-entrypoint.sh usr/bin/dash usr/sbin/nginx usr/bin/find usr/bin/sort usr/bin/sed usr/bin/envsubst docker-entrypoint.d/10-ipv6.sh docker-entrypoint.d/15-resolvers.envsh usr/lib/x86_64-linux-gnu/libssl.so.3 usr/lib/x86_64-linux-gnu/libxml2.so.2 usr/lib/x86_64-linux-gnu/libnss_files.so.2",
		not:     "usr/bin/perl usr/bin/apt usr/lib/x86_64-linux-gnu/libapt-pkg.so.6.0 usr/bin/bash usr/lib/x86_64-linux-gnu/libcurl.so.4",
	},
	{
		name: "postgres",
		files: with(debian, tree{
			"usr/local/bin/docker-entrypoint.sh": `#!/usr/bin/env bash
set -Eeo pipefail
file_env() {
	local var="$1"
	local val="${2:-}"
	export "$var"="$val"
}
run_init() {
	local f
	for f; do
		case "$f" in *.sh) "$f" ;; *.sql) process_sql -f "$f" ;; esac
	done
}
process_sql() { local query=( psql -v ON_ERROR_STOP=1 ); if [ -n "$POSTGRES_DB" ]; then query+=( --dbname "$POSTGRES_DB" ); fi; PGHOST= "${query[@]}" "$@"; }
_main() {
	if [ "${1:0:1}" = '-' ]; then set -- postgres "$@"; fi
	if [ "$1" = 'postgres' ]; then
		file_env 'POSTGRES_PASSWORD'
		mkdir -p "$PGDATA"
		if [ "$(id -u)" = '0' ]; then exec gosu postgres "$BASH_SOURCE" "$@"; fi
		eval 'initdb --username="$POSTGRES_USER" "$@"'
		run_init /docker-entrypoint-initdb.d/*.sh
	fi
	exec "$@"
}
if ! _is_sourced 2>/dev/null; then _main "$@"; fi
`,
			"usr/local/bin/gosu":                 "elf",
			"usr/lib/postgresql/16/bin/postgres": "elf needs=libxml2.so.2,libc.so.6",
			"usr/lib/postgresql/16/bin/initdb":   "elf needs=libpq.so.5", "usr/lib/postgresql/16/bin/psql": "elf needs=libpq.so.5,libreadline.so.8",
			"usr/lib/postgresql/16/bin/pg_dump": "elf needs=liblz4.so.1", "usr/lib/x86_64-linux-gnu/liblz4.so.1": "so",
			"usr/lib/postgresql/16/lib/pgcrypto.so": "so needs=libcrypto.so.3", "usr/lib/x86_64-linux-gnu/libcrypto.so.3": "so",
			"usr/lib/x86_64-linux-gnu/libxml2.so.2": "so", "usr/lib/x86_64-linux-gnu/libpq.so.5": "so", "usr/lib/x86_64-linux-gnu/libreadline.so.8": "so",
			"docker-entrypoint-initdb.d/load.sh": "#!/bin/bash\ncurl x\n", "usr/bin/curl": "elf needs=libcurl.so.4",
		}),
		entrypoint: "docker-entrypoint.sh", cmd: "postgres", env: []string{"PATH=/usr/local/bin:/usr/bin:/usr/lib/postgresql/16/bin", "PGDATA=/var/lib/postgresql/data"},
		reached: "usr/local/bin/docker-entrypoint.sh usr/bin/env usr/bin/bash usr/local/bin/gosu usr/lib/postgresql/16/bin/postgres usr/lib/postgresql/16/bin/initdb usr/lib/postgresql/16/bin/psql usr/lib/x86_64-linux-gnu/libreadline.so.8 usr/lib/x86_64-linux-gnu/libcrypto.so.3 docker-entrypoint-initdb.d/load.sh usr/lib/x86_64-linux-gnu/libcurl.so.4 usr/bin/mkdir",
		not:     "usr/lib/postgresql/16/bin/pg_dump usr/lib/x86_64-linux-gnu/liblz4.so.1 usr/bin/perl usr/bin/dash",
	},
	{
		name: "redis on alpine",
		files: with(alpine, tree{
			"usr/local/bin/docker-entrypoint.sh": `#!/bin/sh
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
	set -- redis-server "$@"
fi
if [ "$1" = 'redis-server' -a "$(id -u)" = '0' ]; then
	find . \! -user redis -exec chown redis '{}' +
	exec setpriv --reuid=redis --regid=redis --clear-groups -- "$0" "$@"
fi
exec "$@"
`,
			"usr/local/bin/redis-server": "elf needs=libssl.so.3,libc.musl-x86_64.so.1 interp=/lib/ld-musl-x86_64.so.1", "usr/lib/libssl.so.3": "so needs=libcrypto.so.3", "usr/lib/libcrypto.so.3": "so",
			"usr/local/bin/redis-cli": "elf", "bin/setpriv": "elf needs=libcap-ng.so.0", "usr/lib/libcap-ng.so.0": "so", "bin/chown": "-> /bin/busybox",
		}),
		entrypoint: "docker-entrypoint.sh", cmd: "redis-server", dir: "/data",
		reached: "bin/busybox bin/sh lib/ld-musl-x86_64.so.1 usr/local/bin/redis-server usr/lib/libssl.so.3 usr/lib/libcrypto.so.3 bin/setpriv usr/lib/libcap-ng.so.0 usr/bin/id bin/chown",
		not:     "usr/local/bin/redis-cli sbin/apk bin/nice usr/bin/wget",
	},
	{
		name: "node",
		files: with(debian, tree{
			"usr/local/bin/docker-entrypoint.sh": "#!/bin/sh\nset -e\nif [ \"${1#-}\" != \"${1}\" ] || [ -z \"$(command -v \"${1}\")\" ]; then\n  set -- node \"$@\"\nfi\nexec \"$@\"\n",
			"usr/local/bin/node":                 "elf needs=libstdc++.so.6,libc.so.6", "usr/lib/x86_64-linux-gnu/libstdc++.so.6": "so",
			"app/package.json": "{}", "app/dist/server.js": "code", "app/node_modules/sharp/sharp.node": "so needs=libvips.so.42", "usr/lib/x86_64-linux-gnu/libvips.so.42": "so",
			"usr/local/lib/node_modules/npm/bin/npm-cli.js": "#!/usr/bin/env node\n",
		}),
		entrypoint: "docker-entrypoint.sh", cmd: "node dist/server.js", dir: "/app",
		reached:   "usr/local/bin/node app/dist/server.js usr/lib/x86_64-linux-gnu/libstdc++.so.6 app/node_modules/sharp/sharp.node usr/lib/x86_64-linux-gnu/libvips.so.42",
		not:       "usr/local/lib/node_modules/npm/bin/npm-cli.js usr/bin/bash",
		languages: "node@app/,node_modules/",
	},
	{
		name: "python with gunicorn",
		files: with(debian, tree{
			"usr/local/bin/gunicorn": "#!/usr/local/bin/python3.12\nimport re\n", "usr/local/bin/python3.12": "elf needs=libpython3.12.so.1.0,libc.so.6 runpath=$ORIGIN/../lib",
			"usr/local/lib/libpython3.12.so.1.0": "so needs=libc.so.6", "usr/local/lib/python3.12/lib-dynload/_ssl.cpython-312-x86_64-linux-gnu.so": "so needs=libssl.so.3",
			"usr/lib/x86_64-linux-gnu/libssl.so.3": "so", "usr/local/lib/python3.12/site-packages/psycopg/_c.so": "so needs=libpq-1234.so.5", "usr/local/lib/python3.12/site-packages/psycopg.libs/libpq-1234.so.5": "so",
		}),
		cmd: "gunicorn -w 4 app:app", dir: "/srv",
		reached:   "usr/local/bin/gunicorn usr/local/bin/python3.12 usr/local/lib/libpython3.12.so.1.0 usr/lib/x86_64-linux-gnu/libssl.so.3 usr/local/lib/python3.12/site-packages/psycopg.libs/libpq-1234.so.5",
		not:       "usr/bin/dash usr/bin/perl",
		languages: "python@*",
	},
	{
		name: "mysql",
		files: with(debian, tree{
			"usr/local/bin/docker-entrypoint.sh": `#!/bin/bash
mysql_note() { local type="$1"; shift; printf '%s [%s]\n' "$(date)" "$type"; }
file_env() { local var="$1"; local fileVar="${var}_FILE"; export "$var"="$val"; unset "$fileVar"; }
docker_setup_env() { declare -g DATADIR SOCKET; DATADIR="$(mysql_get_config datadir "$@")"; file_env 'MYSQL_ROOT_HOST' '%'; }
mysql_get_config() { local conf="$1"; shift; "$@" --verbose --help 2>/dev/null | awk -v conf="$conf" '$1 == conf { print $2 }'; }
temp_server() { "$@" --skip-networking --socket="$SOCKET" & }
docker_process_init_files() { mysql=( docker_process_sql ); for f; do case "$f" in *.sql) cat "$f" | docker_process_sql ;; esac; done; }
docker_process_sql() { mysql --defaults-extra-file=<(x) -hlocalhost "$@"; }
_main() {
	if [ "${1:0:1}" = '-' ]; then set -- mysqld "$@"; fi
	if [ "$1" = 'mysqld' ]; then
		docker_setup_env "$@"
		if [ "$(id -u)" = "0" ]; then exec gosu mysql "$BASH_SOURCE" "$@"; fi
		temp_server "$@"
		docker_process_init_files /docker-entrypoint-initdb.d/*
		mysqladmin --defaults-extra-file=x shutdown
	fi
	exec "$@"
}
_main "$@"
`,
			"usr/local/bin/gosu": "elf", "usr/sbin/mysqld": "elf needs=libaio.so.1", "usr/lib/x86_64-linux-gnu/libaio.so.1": "so", "usr/bin/mysql": "elf", "usr/bin/mysqladmin": "elf", "usr/bin/mysqldump": "elf",
			"usr/lib64/mysql/plugin/component_audit.so": "so needs=libre2.so.9", "usr/lib64/libre2.so.9": "so",
		}),
		entrypoint: "docker-entrypoint.sh", cmd: "mysqld",
		reached: "usr/local/bin/gosu usr/sbin/mysqld usr/lib/x86_64-linux-gnu/libaio.so.1 usr/bin/mysql usr/bin/mysqladmin usr/lib64/libre2.so.9",
		not:     "usr/bin/mysqldump usr/bin/perl",
	},
	{
		name: "httpd",
		files: with(debian, tree{
			"usr/local/bin/httpd-foreground": "#!/bin/sh\nset -e\nrm -f /usr/local/apache2/logs/httpd.pid\nexec httpd -DFOREGROUND \"$@\"\n",
			"usr/local/apache2/bin/httpd":    "elf needs=libapr-1.so.0 runpath=/usr/local/apr/lib", "usr/local/apr/lib/libapr-1.so.0": "so",
			"usr/local/apache2/modules/mod_ssl.so": "so needs=libssl.so.3", "usr/lib/x86_64-linux-gnu/libssl.so.3": "so", "usr/local/apache2/bin/ab": "elf needs=libcurl.so.4",
		}),
		cmd: "httpd-foreground", env: []string{"PATH=/usr/local/apache2/bin:/usr/local/bin:/usr/bin:/bin", "HTTPD_PREFIX=/usr/local/apache2"}, dir: "/usr/local/apache2",
		reached: "usr/local/apache2/bin/httpd usr/local/apr/lib/libapr-1.so.0 usr/lib/x86_64-linux-gnu/libssl.so.3 usr/local/apache2/modules/mod_ssl.so",
		not:     "usr/local/apache2/bin/ab usr/lib/x86_64-linux-gnu/libcurl.so.4",
	},
	{
		name: "rabbitmq",
		files: with(debian, tree{
			"usr/local/bin/docker-entrypoint.sh": "#!/bin/bash\nset -euo pipefail\nif [[ \"$1\" == rabbitmq* ]] && [ \"$(id -u)\" = '0' ]; then\n\texec gosu rabbitmq \"$BASH_SOURCE\" \"$@\"\nfi\nexec \"$@\"\n",
			"usr/local/bin/gosu":                 "elf", "opt/rabbitmq/sbin/rabbitmq-env": "#!/bin/sh -e\nRABBITMQ_SCRIPTS_DIR=\"$(dirname \"$0\")\"\n",
			"opt/rabbitmq/sbin/rabbitmq-server": `#!/bin/sh
set -e
. "${0%/*}"/rabbitmq-env
RABBITMQ_START='x'
start_server() {
	set -- -noshell "$@"
	exec erl "$@"
}
start_server "$@"
`,
			"opt/erlang/lib/erlang/bin/erl":               "#!/bin/sh\nROOTDIR=\"/opt/erlang/lib/erlang\"\nBINDIR=$ROOTDIR/erts-14.2/bin\nexec \"$BINDIR/erlexec\" ${1+\"$@\"}\n",
			"usr/local/bin/erl":                           "-> /opt/erlang/lib/erlang/bin/erl",
			"opt/erlang/lib/erlang/erts-14.2/bin/erlexec": "elf needs=libc.so.6", "opt/erlang/lib/erlang/erts-14.2/bin/beam.smp": "elf needs=libtinfo.so.6", "opt/erlang/lib/erlang/lib/crypto-5.4/priv/lib/crypto.so": "so needs=libcrypto.so.3",
			"opt/openssl/lib/libcrypto.so.3": "so",
		}),
		entrypoint: "docker-entrypoint.sh", cmd: "rabbitmq-server", env: []string{"PATH=/opt/rabbitmq/sbin:/usr/local/bin:/usr/bin:/bin"},
		reached:   "opt/rabbitmq/sbin/rabbitmq-server opt/rabbitmq/sbin/rabbitmq-env opt/erlang/lib/erlang/erts-14.2/bin/erlexec opt/erlang/lib/erlang/erts-14.2/bin/beam.smp usr/lib/x86_64-linux-gnu/libtinfo.so.6.4 opt/openssl/lib/libcrypto.so.3",
		not:       "usr/bin/perl",
		languages: "erlang@*",
	},
	{
		name: "tomcat",
		files: with(debian, tree{
			"usr/local/tomcat/bin/catalina.sh": `#!/bin/sh
PRG="$0"
while [ -h "$PRG" ]; do ls=$(ls -ld "$PRG"); link=$(expr "$ls" : '.*-> \(.*\)$'); PRG="$link"; done
PRGDIR=$(dirname "$PRG")
[ -z "$CATALINA_HOME" ] && CATALINA_HOME=$(cd "$PRGDIR/.." >/dev/null; pwd)
if [ -r "$CATALINA_HOME/bin/setclasspath.sh" ]; then
	. "$CATALINA_HOME"/bin/setclasspath.sh
fi
if [ "$1" = "run" ]; then
	shift
	eval exec "\"$_RUNJAVA\"" "\"$LOGGING_CONFIG\"" $JAVA_OPTS -classpath "\"$CLASSPATH\"" org.apache.catalina.startup.Bootstrap "$@" start
fi
`,
			"usr/local/tomcat/bin/setclasspath.sh": "#!/bin/sh\nJRE_HOME=\"$JAVA_HOME\"\n_RUNJAVA=\"$JRE_HOME\"/bin/java\n",
			"usr/bin/ls":                           "elf", "usr/bin/expr": "elf", "opt/java/openjdk/bin/java": "elf needs=libjli.so,libc.so.6 runpath=$ORIGIN/../lib", "opt/java/openjdk/bin/javac": "elf",
			"opt/java/openjdk/lib/libjli.so": "so", "opt/java/openjdk/lib/server/libjvm.so": "so needs=libc.so.6", "opt/java/openjdk/lib/libfontmanager.so": "so needs=libfreetype.so.6", "usr/lib/x86_64-linux-gnu/libfreetype.so.6": "so",
		}),
		cmd: "catalina.sh run", env: []string{"PATH=/usr/local/tomcat/bin:/opt/java/openjdk/bin:/usr/bin:/bin", "JAVA_HOME=/opt/java/openjdk", "CATALINA_HOME=/usr/local/tomcat"}, dir: "/usr/local/tomcat",
		reached:   "opt/java/openjdk/bin/java opt/java/openjdk/lib/server/libjvm.so usr/lib/x86_64-linux-gnu/libfreetype.so.6 usr/local/tomcat/bin/setclasspath.sh usr/bin/expr",
		not:       "opt/java/openjdk/bin/javac usr/bin/perl",
		languages: "java@usr/local/tomcat/",
	},
	{
		name: "wordpress",
		files: with(debian, tree{
			"usr/local/bin/docker-entrypoint.sh": "#!/usr/bin/env bash\nset -e\nif [[ \"$1\" == apache2* ]]; then\n\tsourceTarArgs=( --create --file - )\n\ttar \"${sourceTarArgs[@]}\" . | tar --extract\n\tawk '/x/ { print }' a\nfi\nexec \"$@\"\n",
			"usr/local/bin/apache2-foreground":   "#!/bin/bash\nset -e\n: \"${APACHE_CONFDIR:=/etc/apache2}\"\n: \"${APACHE_ENVVARS:=$APACHE_CONFDIR/envvars}\"\nif test -f \"$APACHE_ENVVARS\"; then\n\t. \"$APACHE_ENVVARS\"\nfi\nexec apache2 -DFOREGROUND \"$@\"\n",
			"etc/apache2/envvars":                "data", "usr/sbin/apache2": "elf needs=libc.so.6", "usr/lib/apache2/modules/libphp.so": "so needs=libxml2.so.2", "usr/lib/x86_64-linux-gnu/libxml2.so.2": "so",
			"usr/local/lib/php/extensions/no-debug-non-zts-20220829/imagick.so": "so needs=libMagickWand.so.6", "usr/lib/x86_64-linux-gnu/libMagickWand.so.6": "so", "usr/bin/tar": "elf",
			"usr/bin/awk": "-> /etc/alternatives/awk", "etc/alternatives/awk": "-> /usr/bin/mawk", "usr/bin/mawk": "elf",
		}),
		entrypoint: "docker-entrypoint.sh", cmd: "apache2-foreground",
		reached:    "usr/sbin/apache2 usr/lib/apache2/modules/libphp.so usr/lib/x86_64-linux-gnu/libxml2.so.2 usr/lib/x86_64-linux-gnu/libMagickWand.so.6 usr/bin/tar usr/bin/awk usr/bin/mawk",
		not:        "usr/bin/perl",
		languages:  "php@*",
		unresolved: "etc/apache2/envvars: a script reads commands from it",
	},
}

func TestOfficial(t *testing.T) {
	for _, test := range officials {
		t.Run(test.name, func(t *testing.T) {
			in := image(test.files, strings.Fields(test.entrypoint), strings.Fields(test.cmd))
			in.Env, in.WorkingDir = test.env, test.dir
			v := usage.Resolve(in)
			for _, p := range strings.Fields(test.reached) {
				if v.Chain(p) == nil {
					t.Errorf("%s is not reached", p)
				}
			}
			for _, p := range strings.Fields(test.not) {
				if c := v.Chain(p); c != nil {
					t.Errorf("%s is reached by %s", p, strings.Join(c, " → "))
				}
			}
			if got := languages(v); got != test.languages {
				t.Errorf("languages %q, want %q", got, test.languages)
			}
			if got := reasons(v); len(got) > 1 || (len(got) == 1) != (test.unresolved != "") || len(got) == 1 && !strings.Contains(got[0], test.unresolved) {
				t.Errorf("unresolved %q, want %q", got, test.unresolved)
			}
			check(t, in, v)
		})
	}
}

func languages(v *usage.View) string {
	var out []string
	for _, l := range v.Languages {
		where := strings.Join(l.Roots, ",")
		if l.Anywhere {
			where = "*"
		}
		out = append(out, l.Name+"@"+where)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func reasons(v *usage.View) (out []string) {
	for _, r := range v.Unresolved {
		out = append(out, r.Path+": "+r.What)
	}
	return out
}

// check holds what is true of every view.
func check(t testing.TB, in *usage.Image, v *usage.View) {
	t.Helper()
	starts, byName := false, map[string][]string{}
	for q, lib := range in.Programs {
		byName[path.Base(q)] = append(byName[path.Base(q)], q)
		if lib.Soname != "" {
			byName[lib.Soname] = append(byName[lib.Soname], q)
		}
	}
	for p, from := range v.Reached {
		_, ok := v.Reached[from]
		starts = starts || from == ""
		if p == "" || from != "" && !ok || len(v.Reached) < 100 && v.Chain(p)[len(v.Chain(p))-1] != p {
			t.Fatalf("%q comes after %q", p, from)
		}
		prog := in.Programs[p]
		if prog == nil || prog.Format != "elf" {
			continue
		}
		for _, name := range prog.Needed {
			if libs := byName[name]; v.Complete && len(libs) > 0 && !slices.ContainsFunc(libs, func(q string) bool { _, ok := v.Reached[q]; return ok }) {
				t.Fatalf("%s needs %s, which is not reached", p, name)
			}
		}
	}
	if v.Complete != (len(v.Unresolved) == 0) {
		t.Fatal("complete, and not")
	}
	if v.Complete && !starts {
		t.Fatal("nothing starts, and nothing says so")
	}
	for _, l := range v.Languages {
		if v.Chain(l.Interpreter) == nil {
			t.Fatalf("%s is not reached", l.Interpreter)
		}
	}
}
