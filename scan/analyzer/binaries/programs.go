package binaries

import "strings"

// program is one row of the table. TestMachine checks the rows with real files.
type program struct {
	name  string   // of the package
	files []string // patterns of names
	texts []text   // the first that is found counts
	needs []string // what the file must hold besides
	cpes  []string // "vendor:product"
	// series: the version begins as the file's name ends, and a name without one is not
	// looked at.
	series bool
	// among: texts go on behind their version without a mark; it is the longest of these
	// that the text begins with.
	among *text
	// version, if set, makes a version of what an expression caught.
	version func(string) string
}

// text is an expression whose groups, joined by dots, are the version. It is tried where
// literal stands: 64 bytes before and 320 bytes behind.
type text struct {
	literal, expr string
	bare          bool // literal is a zero that a version follows, else it is not tried
}

// all returns every expression of p: texts, then among.
func (p *program) all() []text {
	if p.among == nil {
		return p.texts
	}
	return append(p.texts[:len(p.texts):len(p.texts)], *p.among)
}

// alone is a version that is a whole text. It needs more to be believed.
func alone(version string) []text {
	return []text{{literal: "\x00", expr: `\x00(` + version + `)\x00`, bare: true}}
}

// programs must not change. Versions of three numbers are written v3 below.
var programs = [...]program{
	// Programs and runtimes.
	{name: "bash", files: []string{"bash"}, cpes: []string{"gnu:bash"},
		texts: []text{{literal: "@(#)Bash version ", expr: `@\(#\)Bash version (` + v3 + `)\(\d+\) [a-z0-9]+ GNU`}}},
	{name: "busybox", files: []string{"busybox"}, cpes: []string{"busybox:busybox"},
		texts: []text{{literal: "BusyBox v", expr: `\x00BusyBox v(` + v3 + `)(?:\.git)? \(`}}},
	{name: "curl", files: []string{"curl", "libcurl.so", "libcurl-gnutls.so", "libcurl-nss.so"}, cpes: []string{"haxx:curl", "haxx:libcurl"},
		texts: []text{
			{literal: "libcurl/", expr: `libcurl/(` + v3 + `)(?:-DEV)?\x00`},
			{literal: "\x00curl/", expr: `\x00curl/(` + v3 + `)(?:-DEV)?\x00`},
		}},
	{name: "git", files: []string{"git"}, cpes: []string{"git-scm:git"},
		texts: []text{{literal: "git/", expr: `[^0-9A-Za-z/._-]git/(\d+\.\d+\.\d+(?:\.\d+)?)(?:[.-][^\x00 ]*)?\x00`}}},
	{name: "haproxy", files: []string{"haproxy"}, cpes: []string{"haproxy:haproxy"}, needs: []string{"Proxy version"},
		texts: []text{{literal: ", released 20", expr: `version (\d+\.\d+(?:\.\d+|-dev\d+|-rc\d+))[^,\x00]*, released 20\d\d/\d\d/\d\d\x00`}}},
	{name: "httpd", files: []string{"httpd", "apache2"}, cpes: []string{"apache:http_server"},
		texts: []text{{literal: "\x00Apache/", expr: `\x00Apache/(` + v3 + `)(?: \([^)\x00]*\))?\x00`}}},
	{name: "jq", files: []string{"jq"}, cpes: []string{"jqlang:jq", "jq_project:jq"}, needs: []string{"jq: error (at %s): %s"},
		texts: alone(`1\.\d+(?:\.\d+)?(?:rc\d+)?`)},
	{name: "lua", files: []string{"lua#", "luac#", "liblua#.so"}, cpes: []string{"lua:lua"},
		texts: []text{{literal: ": Lua 5.", expr: `\$Lua(?:Version)?: Lua (` + v3 + `) +Copyright`}}},
	{name: "mariadb", files: []string{"mariadbd", "mysqld", "mariadb", "mysql"}, cpes: []string{"mariadb:mariadb"},
		texts: []text{{literal: "-MariaDB", expr: `\x00(?:5\.5\.5-)?(` + v3 + `)-MariaDB(?:-[^\x00 ]*)?\x00`}}},
	{name: "memcached", files: []string{"memcached"}, cpes: []string{"memcached:memcached"},
		texts: []text{{literal: "\x00memcached ", expr: `\x00memcached (` + v3 + `)[\n\x00]`}}},
	{name: "nginx", files: []string{"nginx"}, cpes: []string{"f5:nginx", "f5:nginx_open_source", "nginx:nginx"},
		texts: []text{{literal: "nginx version: ", expr: `nginx version: nginx/(` + v3 + `)(?: \([^)\x00]*\))?[\n\x00]`}}},
	{name: "openresty", files: []string{"nginx", "openresty"}, cpes: []string{"openresty:openresty"},
		texts: []text{{literal: "nginx version: ", expr: `nginx version: openresty/(` + v3 + `(?:\.\d+)?)(?: \([^)\x00]*\))?[\n\x00]`}}},
	{name: "node", files: []string{"node", "nodejs", "libnode.so"}, cpes: []string{"nodejs:node.js"},
		texts: []text{{literal: "node.js/v", expr: `\x00node\.js/v(` + v3 + `)\x00`}}},
	{name: "openssh", files: []string{"ssh", "sshd", "sshd-session", "sshd-auth"}, cpes: []string{"openbsd:openssh"},
		texts: []text{{literal: "\x00OpenSSH_", expr: `\x00OpenSSH_(\d+\.\d+(?:\.\d+)?p\d+)(?: [^\x00]*)?\x00`}}},
	{name: "perl", files: []string{"perl#", "libperl.so"}, cpes: []string{"perl:perl"},
		texts: []text{{literal: "This is perl ", expr: `This is perl (\d+), version (\d+), subversion (\d+) `}}},
	{name: "php", files: []string{"php#", "php-fpm#", "php-cgi#", "libphp#.so"}, cpes: []string{"php:php"},
		texts: []text{{literal: "X-Powered-By: PHP/", expr: `X-Powered-By: PHP/(` + v3 + `(?:(?:RC|alpha|beta)\d+)?)(?:-[^\x00 ]*)?\x00`}}},
	{name: "postgresql", files: []string{"postgres"}, cpes: []string{"postgresql:postgresql"},
		texts: []text{{literal: "PostgreSQL ", expr: `PostgreSQL (\d+(?:\.\d+){1,2}|\d+(?:beta|rc)\d+)(?: \([^)\x00]*\))? on [^\x00]*, compiled by`}}},
	{name: "python", files: []string{"python#", "libpython#.so"}, series: true, needs: []string{"PYTHONHOME"}, cpes: []string{"python:python"},
		texts:   append(alone(`\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?\+?`), text{literal: "/Python-", expr: `/Python-(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)\x00`}),
		version: func(s string) string { return strings.TrimSuffix(s, "+") }},
	{name: "redis", files: []string{"redis-server", "redis-sentinel", "redis-check-rdb", "redis-check-aof"}, cpes: []string{"redis:redis", "redislabs:redis"},
		needs: []string{"redis_version:%s"}, among: &alone(`\d{1,3}\.\d{1,3}\.\d{1,3}`)[0], texts: []text{buildID(`[^0-9a-z.]`)}},
	{name: "valkey", files: []string{"valkey-server", "valkey-sentinel", "valkey-check-rdb", "valkey-check-aof"}, cpes: []string{"lfprojects:valkey"},
		needs: []string{"valkey_version:%s"}, among: &alone(`\d{1,3}\.\d{1,3}\.\d{1,3}`)[0], texts: []text{buildID(`valkey`)}},
	{name: "ruby", files: []string{"ruby#", "libruby#.so"}, cpes: []string{"ruby-lang:ruby"},
		texts: []text{{literal: "\x00ruby ", expr: `\x00ruby (` + v3 + `(?:(?:preview|rc)\d+)?)(?:p\d+|dev)? \(\d{4}-\d\d-\d\d`}}},
	{name: "rust", files: []string{"libstd#.so", "librustc_driver#.so"}, cpes: []string{"rust-lang:rust"},
		texts: []text{{literal: "rustc version ", expr: `rustc version (` + v3 + `(?:-(?:nightly|beta(?:\.\d+)?))?) \(`}}},
	{name: "sqlite", files: []string{"sqlite3", "libsqlite3.so"}, cpes: []string{"sqlite:sqlite"}, needs: []string{"SQLite format 3"},
		texts: alone(`3\.\d+\.\d+(?:\.\d+)?`)},
	{name: "openjdk", files: []string{"libjvm.so"}, cpes: []string{"oracle:openjdk"}, version: javaVersion,
		texts: []text{{literal: "OpenJDK ", expr: `OpenJDK [^\x00()]*VM \([^)\x00]*\) for [^\x00 ]+ JRE (?:\([^)\x00]*\) ?)?\((\d[0-9A-Za-z._+-]*)\)`}}},
	{name: "oracle-jdk", files: []string{"libjvm.so"}, cpes: []string{"oracle:jdk"}, version: javaVersion,
		texts: []text{{literal: "Java HotSpot(TM) ", expr: `Java HotSpot\(TM\) [^\x00()]*VM \([^)\x00]*\) for [^\x00 ]+ JRE (?:\([^)\x00]*\) ?)?\((\d[0-9A-Za-z._+-]*)\)`}}},

	// Libraries.
	{name: "bzip2", files: []string{"libbz2.so"}, cpes: []string{"bzip:bzip2"},
		texts: []text{{literal: "\x001.", expr: `\x00(` + v3 + `), \d{1,2}-[A-Z][a-z]{2}-\d{4}\x00`}}},
	{name: "expat", files: []string{"libexpat.so", "libexpatw.so"}, cpes: []string{"libexpat_project:libexpat"},
		texts: []text{{literal: "expat_", expr: `expat_(` + v3 + `)\x00`}}},
	{name: "glibc", files: []string{"libc#.so"}, cpes: []string{"gnu:glibc"},
		texts: []text{{literal: "GNU C Library ", expr: `GNU C Library (?:\([^)\x00]*\) )?(?:stable|development) release version (\d+(?:\.\d+)+)`}}},
	{name: "gnutls", files: []string{"libgnutls.so"}, cpes: []string{"gnu:gnutls"},
		texts: []text{{literal: "Enabled GnuTLS ", expr: `Enabled GnuTLS (` + v3 + `) logging`}}},
	{name: "libjpeg-turbo", files: []string{"libjpeg.so", "libturbojpeg.so"}, cpes: []string{"libjpeg-turbo:libjpeg-turbo"},
		texts: []text{{literal: "libjpeg-turbo version ", expr: `libjpeg-turbo version (` + v3 + `(?:\.\d+)?) \(build \d{8}\)`}}},
	{name: "libpng", files: []string{"libpng#.so"}, cpes: []string{"libpng:libpng"},
		texts: []text{{literal: " libpng version ", expr: ` libpng version (` + v3 + `) - `}}},
	{name: "libssh", files: []string{"libssh.so"}, cpes: []string{"libssh:libssh"},
		texts: []text{{literal: "SSH-2.0-libssh_", expr: `SSH-2\.0-libssh_(` + v3 + `)\x00`}}},
	{name: "libssh2", files: []string{"libssh2.so"}, cpes: []string{"libssh2:libssh2"},
		texts: []text{{literal: "SSH-2.0-libssh2_", expr: `SSH-2\.0-libssh2_(` + v3 + `)(?:_DEV)?[\r\x00]`}}},
	{name: "libtiff", files: []string{"libtiff.so"}, cpes: []string{"libtiff:libtiff"},
		texts: []text{{literal: "LIBTIFF, Version ", expr: `LIBTIFF, Version (` + v3 + `)\n`}}},
	{name: "mbedtls", files: []string{"libmbedcrypto.so"}, cpes: []string{"arm:mbed_tls"},
		texts: []text{{literal: "bed TLS ", expr: `\x00[Mm]bed TLS (` + v3 + `)\x00`}}},
	{name: "musl", files: []string{"libc.so", "ld-musl-*.so"}, cpes: []string{"musl-libc:musl"}, needs: []string{"musl libc ("},
		texts: alone(`[01]\.\d+\.\d+`)},
	{name: "openssl", files: []string{"openssl", "libcrypto.so", "libssl.so"}, cpes: []string{"openssl:openssl"},
		texts: []text{{literal: "OpenSSL ", expr: `OpenSSL (` + v3 + `[a-z]{0,2}(?:-(?:alpha|beta|pre)\d+)?)(?:-fips|\+quic)? +\d{1,2} [A-Z][a-z]{2} \d{4}`}}},
	{name: "libressl", files: []string{"openssl", "libcrypto.so", "libssl.so"}, cpes: []string{"openbsd:libressl"},
		texts: []text{{literal: "\x00LibreSSL ", expr: `\x00LibreSSL (` + v3 + `)\x00`}}},
	{name: "pcre", files: []string{"libpcre.so"}, cpes: []string{"pcre:pcre"},
		texts: []text{{literal: "\x008.", expr: `\x00(8\.\d\d) \d{4}-\d\d-\d\d\x00`}}},
	{name: "pcre2", files: []string{"libpcre2#.so"}, cpes: []string{"pcre:pcre2"},
		texts: []text{{literal: "\x0010.", expr: `\x00(10\.\d\d) \d{4}-\d\d-\d\d\x00`}}},
	{name: "xz", files: []string{"xz", "liblzma.so"}, cpes: []string{"tukaani:xz"},
		texts: append([]text{{literal: "xz (XZ Utils) ", expr: `xz \(XZ Utils\) (` + v3 + `(?:alpha|beta)?)\x00`}}, alone(`5\.\d+\.\d+(?:alpha|beta)?`)...)},
	{name: "zlib", files: []string{"libz.so"}, cpes: []string{"zlib:zlib"},
		texts: []text{{literal: "flate ", expr: ` (?:de|in)flate (` + v3 + `(?:\.\d+)?) Copyright 1995-`}}},
}

// v3 is a version of three numbers.
const v3 = `\d+\.\d+\.\d+`

// buildID is the version of Redis and its descendants, with the host's name and the time in
// seconds of the build behind it, and the state of its source: "7.2.4buildhost-1707000000000000000".
func buildID(start string) text {
	return text{literal: "00000000\x00", expr: start + `(` + v3 + `[0-9A-Za-z._-]*?\d{18,})\x00`}
}

// javaVersion cuts the build off: "17.0.15+6-Debian-1deb12u1" is 17.0.15, and
// "1.8.0_382-b05" 1.8.0_382.
func javaVersion(s string) string {
	if i := strings.IndexAny(s, "+-"); i >= 0 {
		return s[:i]
	}
	return s
}
