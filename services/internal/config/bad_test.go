package config

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// material writes keys and certificates, good and bad, into a folder.
func material(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, text []byte) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	private := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	public := func(key any) []byte {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	pub, ed, _ := ed25519.GenerateKey(rand.Reader)
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	cert := func(from, until time.Duration) []byte {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(until), DNSNames: []string{"stella.example"}}
		der, err := x509.CreateCertificate(rand.Reader, c, c, ec.Public(), ec)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	write("ed.key", 0o600, private(ed))
	write("ec.key", 0o600, private(ec))
	write("other.key", 0o600, private(other))
	write("p224.key", 0o600, private(p224))
	write("open.key", 0o644, private(ed))
	write("junk.key", 0o600, []byte("not PEM"))
	write("public.key", 0o600, public(pub))
	write("cert.pem", 0o644, cert(-time.Hour, time.Hour))
	write("old.pem", 0o644, cert(-2*time.Hour, -time.Hour))
	write("new.pem", 0o644, cert(time.Hour, 2*time.Hour))
	write("trust/a.pem", 0o644, public(pub))
	write("ectrust/a.pem", 0o644, public(ec.Public()))
	write("none/readme", 0o644, nil)
	write("secret", 0o600, []byte("s3cr3t-value\n"))
	write("open", 0o644, []byte("s3cr3t-value\n"))
	write("empty", 0o600, []byte("\n"))
	write("file", 0o600, []byte("x"))
	write("big", 0o600, make([]byte, maxSecret+1))
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	write("rsa.key", 0o600, private(key))
	return dir
}

// bad is one mistake: a file, and what the message must have, among it the key and where
// it was given.
type bad struct{ text, want string }

// badFiles are mistakes in files. DIR stands for the folder of material.
var badFiles = []bad{
	// Form.
	{"profle: embedded", `profle (FILE:1): unknown key; did you mean "profile"?`},
	{"gateway: {rate: {brust: 5}}", `gateway.rate.brust (FILE:1): unknown key; did you mean "burst"?`},
	{"xyzzy: 1", "xyzzy (FILE:1): unknown key: there are profile, data"},
	{"tenant: a\ntenant: b", "tenant (FILE:2): it is there twice"},
	{"a: [", "config (FILE): it is not YAML"},
	{"tenant: a\n---\ntenant: b", "config (FILE): it has more than one document"},
	{"- a", "want a mapping, this is a list"},
	{"gateway: 5", "gateway (FILE:1): want a mapping, this is a number"},
	{"x: &a b\ntenant: *a", "tenant (FILE:2): want a text, in quotes, this is an alias"},
	{"tenant:", "tenant (FILE:1): want a text, in quotes, this is empty: leave the key out"},
	{"tenant: 12", "tenant (FILE:1): want a text, in quotes, this is a number"},
	{"tenant: \"a\\x00b\"", "tenant (FILE:1): it has control characters"},
	{"network: {allow: {a: b}}", "network.allow (FILE:1): want a list, this is a mapping"},
	{"services: [a]", "services (FILE:1): want a mapping, this is a list"},
	{"network: {registries: [a]}", "network.registries[0] (FILE:1): want a mapping, this is a text"},
	{"network: {registries: [{tenant: a}]}", "network.registries[0].host (FILE:1): it is missing"},
	{"network: {registries: [{host: h, usrname: me}]}", `network.registries[0].usrname (FILE:1): unknown key; did you mean "username"?`},
	{"store: \"mem:\"\nstore_file: x", "store (FILE:2): give either the value or the file, not both"},
	// Types and units.
	{"management: {pprof: \"yes\"}", "management.pprof (FILE:1): want true or false, without quotes, this is a text"},
	{"management: {pprof: 1}", "management.pprof (FILE:1): want true or false, without quotes, this is a number"},
	{"worker: {parallel: \"2\"}", "worker.parallel (FILE:1): want a whole number, without quotes, this is a text"},
	{"worker: {parallel: 2.5}", "worker.parallel (FILE:1): want a whole number"},
	{"worker: {parallel: 0x10}", `worker.parallel = "0x10" (FILE:1): want a whole number`},
	{"shutdown: 10", `shutdown = "10" (FILE:1): it has no unit: want a duration such as 10s`},
	{"shutdown: soon", `shutdown = "soon" (FILE:1): want a duration such as 500ms`},
	{"shutdown: 10 s", "want a duration such as"},
	{"gateway: {body: 64MB}", `gateway.body = "64MB" (FILE:1): want bytes, such as 1048576`},
	{"gateway: {body: 9000000TiB}", "gateway.body"},
	// Bounds.
	{"shutdown: 0s", "shutdown = \"0s\" (FILE:1): want 1s to 5m"},
	{"shutdown: -10s", "want 1s to 5m"},
	{"shutdown: 9000h", "want 1s to 5m"},
	{"retention: {scans: 99999d}", "retention.scans = \"99999d\" (FILE:1): want 1h to 36500d"},
	{"retention: {events: 999999999999d}", "retention.events"},
	{"worker: {lease: 10ms}", "worker.lease"},
	{"worker: {parallel: 0}", "want 1 to 256"},
	{"worker: {parallel: -3}", "want 1 to 256"},
	{"worker: {parallel: 99999999999999999999}", "worker.parallel"},
	{"gateway: {body: 1}", "want 1KiB to 16GiB"},
	{"authority: {token_ttl: 24h}", "authority.token_ttl = \"24h\" (FILE:1): want 30s to 15m"},
	{"telemetry: {sample_percent: 101}", "want 0 to 100"},
	{"concelier: {sources: {kev: 1s}}", "concelier.sources.kev = \"1s\" (FILE:1): want 1m to 720h"},
	{"gateway: {rate: {per_second: 10, burst: 5}}", "gateway.rate.burst (FILE:1): 5 is below gateway.rate.per_second, which is 10"},
	{"scanner: {quota: {queued: 10, per_day: 5}}", "scanner.quota.queued (FILE:1): 10 is over"},
	// Names.
	{"profile: airgapped", "profile = \"airgapped\" (FILE:1): want one of embedded, distributed, airgap"},
	{"log: {level: verbose}", "log.level"},
	{"tls: {min_version: \"1.1\"}", "want one of 1.2, 1.3"},
	{"concelier: {role: wrker}", "concelier.role = \"wrker\" (FILE:1): want one of web, worker, all"},
	{"listen: \"u:hunter2@h\"", "listen = \"[redacted]@h\" (FILE:1): want HOST:PORT"},
	{"store: \"postgres:u:hunter2@h/d\"", "store = \"postgres:[redacted]\" (FILE:1): it has no host"},
	{"queue: \"nats://hunter2@\"", "queue = \"nats://xxxxx@\" (FILE:1): it has no host"},
	{"tenant: \"a b\"", "tenant = \"a b\" (FILE:1): want 1 to 64 letters"},
	{"services: {scaner: https://h}", `services.scaner (FILE:1): no system is called that; did you mean "scanner"?`},
	{"gateway: {upstreams: {nobody: [https://h]}}", "gateway.upstreams.nobody"},
	{"concelier: {sources: {debain: 1h}}", `concelier.sources.debain (FILE:1): no source is called that; did you mean "debian"?`},
	{"scanner: {formats: [spdxx]}", "scanner.formats[0] = \"spdxx\""},
	{"exporter: {formats: [pdf]}", "exporter.formats[0] = \"pdf\""},
	{"excititor: {trust: DIR/file, sources: [redhta]}", "excititor.sources[0]"},
	{"excititor: {trust: DIR/file, sources: [\"csaf:http://h.example/p.json\"]}", "csaf: want https, or h.example in network.plain_http"},
	{"signer: {default: a}", "signer.default (FILE:1): no key of signer.keys is called a"},
	{"signer: {keys: [{name: a, ref: DIR/ed.key}, {name: a, ref: DIR/ec.key}]}", "signer.keys[1].name (FILE:1): two keys are called a"},
	{"signer: {keys: [{name: a, ref: DIR/ed.key, tenants: [x]}, {name: b, ref: DIR/ec.key, tenants: [x]}]}", "signer.keys[1].tenants (FILE:1): tenant x has a key already, a"},
	{"network: {registries: [{host: h}, {host: H}]}", "network.registries[1].host (FILE:1): H is there twice"},
	{"network: {registries: [{host: h, username: me}]}", "network.registries[0].username (FILE:1): want both"},
	// Addresses.
	{"listen: \"8443\"", "listen = \"8443\" (FILE:1): want HOST:PORT"},
	{"listen: localhost:99999", "listen"},
	{"listen: \"\"", "listen (FILE:1): it is empty"},
	{"listen: 0.0.0.0:8443", "listen (FILE:1): 0.0.0.0:8443 can be reached from elsewhere"},
	{"listen: 127.0.0.1:9443", "management.listen (default): 127.0.0.1:9443 is where the API listens as well"},
	{"listen: localhost:7000\nmanagement: {listen: \":7000\"}", "management.listen (FILE:2): :7000 is where the API listens"},
	{"management: {listen: \":9000\", pprof: true}", "management.pprof (FILE:1): it shows the memory of the process at :9000"},
	{"url: http://stella.example", "url = \"http://stella.example\" (FILE:1): want https"},
	{"url: https://stella.example/path", "want an origin alone"},
	{"url: stella.example", "want https://HOST"},
	{"url: https://u:hunter2@stella.example", "url = \"https://u:xxxxx@stella.example\" (FILE:1): it has a user or a password"},
	{"services: {policy: http://p.example}", "services.policy = \"http://p.example\" (FILE:1): want https, or p.example in network.plain_http"},
	{"gateway: {upstreams: {policy: [https://a, http://b.example]}}", "gateway.upstreams.policy[1] = \"http://b.example\""},
	{"telemetry: {otlp_endpoint: http://c.example:4318}", "telemetry.otlp_endpoint"},
	{"telemetry: {otlp_endpoint: grpc://c}", "want https://HOST"},
	{"network: {allow: [\"a/b\"]}", "network.allow[0] = \"a/b\" (FILE:1): want a host"},
	{"authority: {issuer: https://a.example, federation: [{issuer: https://a.example, audience: x, tenant: t}]}", "authority.federation[0].issuer (FILE:1): it is the authority's own"},
	// Backends.
	{"store: mysql://h/d", "store = \"mysql://h/d\" (FILE:1): scheme \"mysql\": want one of sqlite, postgres"},
	{"store: postgres:///d", "store = \"postgres:///d\" (FILE:1): it has no host"},
	{"store: \"postgres://u:hunt%er2@h/d\"", "store = \"postgres:[redacted]\" (FILE:1): the URL cannot be parsed"},
	{"store: \"sqlite:\"", "want sqlite:PATH"},
	{"queue: kafka://h", "scheme \"kafka\": want one of valkey"},
	{"queue: mem://x", "memory has no address"},
	{"cache: nats://h", "scheme \"nats\""},
	{"bucket: s3:///x", "want s3://KEY:SECRET@BUCKET"},
	{"bucket: \"s3://k:hunter2@b?endpoint=ftp://h\"", "bucket = \"s3://k:xxxxx@b?endpoint=ftp://h\" (FILE:1): endpoint: want https://HOST"},
	{"store_file: DIR/absent", "store_file = \"DIR/absent\" (FILE:1): no such file"},
	{"store_file: DIR/open", "store_file = \"DIR/open\" (FILE:1): it has mode 0644, so others can read"},
	{"store_file: DIR/empty", "it is empty"},
	{"store_file: DIR/big", "it is over the limit of 64KiB"},
	{"store_file: DIR/none", "it is not a file"},
	{"store_file: DIR/secret", "want one of sqlite"},
	// Keys and certificates.
	{"tls: {cert: DIR/cert.pem}", "tls.key"},
	{"tls: {key: DIR/ec.key}", "tls.cert"},
	{"tls: {cert: DIR/cert.pem, key: DIR/ec.key, off: true}", "tls.off (FILE:1): a certificate is given as well"},
	{"tls: {cert: DIR/cert.pem, key: DIR/other.key}", "tls.cert (FILE:1): it is no certificate of the key in tls.key"},
	{"tls: {cert: DIR/old.pem, key: DIR/ec.key}", "tls.cert (FILE:1): it has ended at"},
	{"tls: {cert: DIR/new.pem, key: DIR/ec.key}", "tls.cert (FILE:1): it begins at"},
	{"tls: {cert: DIR/cert.pem, key: DIR/open.key}", "tls.key = \"DIR/open.key\" (FILE:1): it has mode 0644"},
	{"tls: {cert: DIR/cert.pem, key: DIR/p224.key}", "a key on P-224: want P-256"},
	{"tls: {cert: DIR/cert.pem, key: DIR/ec.key, client_ca: DIR/file}", "tls.client_ca (FILE:1): it has no certificate"},
	{"tls: {client_ca: DIR/cert.pem}", "there are no client certificates without TLS"},
	{"identity: {key: DIR/ec.key, trust: DIR/trust}", "identity.key = \"DIR/ec.key\" (FILE:1): want an Ed25519 key"},
	{"identity: {key: DIR/public.key, trust: DIR/trust}", "it holds a \"PUBLIC KEY\""},
	{"identity: {key: DIR/junk.key, trust: DIR/trust}", "it has no PEM block"},
	{"identity: {key: DIR/ed.key, trust: DIR/none}", "identity.trust = \"DIR/none\" (FILE:1): it has no NAME.pem"},
	{"identity: {key: DIR/ed.key, trust: DIR/ectrust}", "a.pem: want an Ed25519 key"},
	{"identity: {key: DIR/ed.key, trust: DIR/file}", "it is not a folder"},
	{"authority: {seal_key: hunter2}", "authority.seal_key (FILE:1): want 32 bytes"},
	{"authority: {seal_key: \"0000000000000000000000000000000000000000000000000000000000000000\"}", "all of its bytes are equal"},
	{"authority: {seal_key_file: DIR/secret}", "authority.seal_key (file DIR/secret by FILE:1): want 32 bytes"},
	{"signer: {keys: [{name: a, ref: DIR/open.key}]}", "signer.keys[0].ref"},
	{"signer: {keys: [{name: a, ref: \"env:KEY\"}]}", "a key in the environment"},
	{"signer: {keys: [{name: a}]}", "signer.keys[0].ref (FILE:1): it is missing"},
	{"worker: {temp: DIR/file}", "it is not a folder"},
	// What belongs together.
	{"attestor: {timestamp: \"https://t.example\"}", "attestor.roots"},
	{"attestor: {log: DIR/none, roots: DIR/file}", "attestor.log_origin: it is missing: attestor.log is one of your own"},
	{"attestor: {log_origin: x}", "attestor.log_key"},
	{"excititor: {sources: [redhat]}", "excititor.trust"},
	{"timeline: {key: DIR/ec.key}", "timeline.checkpoints: want both"},
	{"profile: distributed", "store: the profile is distributed: want postgres"},
	{"profile: distributed\nstore: postgres://u@h/d", "bucket"},
	{"profile: distributed\nqueue: \"mem:\"", "queue (FILE:2): the profile is distributed, and no other process can reach mem:"},
	{"profile: distributed\ncache: \"mem:\"", "cache (FILE:2)"},
	{"profile: distributed\nbucket: \"file:x\"", "file:x is relative to each process"},
	{"profile: airgap\nconcelier: {sources: {kev: 1h}}", "concelier.sources (FILE:2): the installation is closed, and sources are online"},
	{"profile: airgap\nexcititor: {trust: DIR/file, sources: [redhat]}", "the installation is closed, and this source is online"},
	{"profile: airgap\nexcititor: {trust: DIR/file, sources: [\"image:r.example/x\"]}", "list r.example in network.allow"},
	{"profile: airgap\nattestor: {timestamp: \"https://t.example\", roots: DIR/file}", "attestor.timestamp = \"https://t.example\" (FILE:2): the installation is closed: list t.example"},
	{"profile: airgap\nconcelier: {mirror: \"https://m.example\"}", "concelier.mirror"},
	{"profile: airgap\ntelemetry: {otlp_endpoint: \"https://c.example\"}", "telemetry.otlp_endpoint"},
	{"profile: airgap\nnetwork: {registries: [{host: r.example}]}", "network.registries[0].host (FILE:2): the installation is closed"},
	{"profile: airgap\nbucket: s3://b", "bucket (FILE:2): the installation is closed, and this is Amazon's"},
}

func TestBadFiles(t *testing.T) {
	dir := material(t)
	for _, b := range badFiles {
		text := strings.ReplaceAll(b.text, "DIR", dir)
		file := filepath.Join(t.TempDir(), "stella.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(Input{File: file})
		want := strings.NewReplacer("FILE", file, "DIR", dir).Replace(b.want)
		var p Problems
		if !errors.As(err, &p) || !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", b.text, err, want)
			continue
		}
		if strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "hunt%er") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: a secret is shown: %v", b.text, err)
		}
		if n := strings.Count(b.text, "\n"); n == 0 && len(p) > 4 {
			t.Errorf("%s: %d mistakes for one: %v", b.text, len(p), err)
		}
	}
	if len(badFiles) < 120 {
		t.Errorf("only %d", len(badFiles))
	}
}

// TestBadPlaces: what is wrong in the environment and with flags, and for some systems.
func TestBadPlaces(t *testing.T) {
	dir := material(t)
	for _, b := range []struct {
		name string
		in   Input
		want string
	}{
		{"no file", Input{File: dir + "/absent"}, "config = \"" + dir + "/absent\" (flag --config): no such file"},
		{"a folder", Input{Environ: []string{"STELLA_CONFIG=" + dir}}, "(STELLA_CONFIG): it is not a file"},
		{"unknown variable", Input{Environ: []string{"STELLA_LOGLEVEL=debug"}}, `STELLA_LOGLEVEL): unknown variable; did you mean "STELLA_LOG_LEVEL"?`},
		{"wrong type", Input{Environ: []string{"STELLA_MANAGEMENT_PPROF=yes"}}, `management.pprof = "yes" (STELLA_MANAGEMENT_PPROF): want true or false`},
		{"no unit", Input{Environ: []string{"STELLA_SHUTDOWN=10"}}, `shutdown = "10" (STELLA_SHUTDOWN): it has no unit`},
		{"not a map", Input{Environ: []string{"STELLA_SERVICES=https://h"}}, "services = \"https://h\" (STELLA_SERVICES): want NAME=VALUE"},
		{"twice in a map", Input{Environ: []string{"STELLA_SERVICES=policy=https://a,policy=https://b"}}, "services.policy (STELLA_SERVICES): it is there twice"},
		{"a list of mappings", Input{Environ: []string{"STELLA_NETWORK_REGISTRIES=[]"}}, "in a file alone"},
		{"value and file", Input{Environ: []string{"STELLA_STORE=mem:", "STELLA_STORE_FILE=x"}}, "not both"},
		{"file is open", Input{Environ: []string{"STELLA_CACHE_FILE=" + dir + "/open"}}, "cache_file = \"" + dir + "/open\" (STELLA_CACHE_FILE): it has mode 0644"},
		{"what is in it", Input{Environ: []string{"STELLA_CACHE_FILE=" + dir + "/secret"}}, "cache = \"[redacted]\" (file " + dir + "/secret by STELLA_CACHE_FILE): scheme \"\": want"},
		{"unknown flag", Input{Flags: map[string]string{"log.levl": "x"}}, `flag --log.levl): unknown flag; did you mean "log.level"?`},
		{"flag value", Input{Flags: map[string]string{"log.level": "x"}}, "log.level = \"x\" (flag --log.level): want one of debug"},
		{"password in a flag", Input{Flags: map[string]string{"store": "postgres://u:hunter2@h/d"}}, "use STELLA_STORE or --store_file"},
		{"no url", Input{Systems: []string{"gateway"}, Flags: map[string]string{"profile": "distributed"}}, "url: it is missing"},
		{"nobody asks", Input{Systems: []string{"gateway"}, Flags: map[string]string{"profile": "distributed"}}, "identity.key: it is missing"},
		{"nobody is believed", Input{Systems: []string{"policy"}, Flags: map[string]string{"profile": "distributed"}}, "identity.trust: it is missing"},
		{"no log key", Input{Systems: []string{"attestor"}, Flags: map[string]string{"attestor.log": "store", "attestor.log_origin": "log.example"}}, "attestor.log_key: it is missing"},
		{"no seal key", Input{Systems: []string{"authority"}, Flags: map[string]string{"profile": "distributed"}}, "authority.seal_key: it is missing"},
		{"no service", Input{Systems: []string{"worker"}, Flags: map[string]string{"worker.callbacks": "true"}}, "services.scanner is missing"},
		{"upstream here", Input{Systems: []string{"gateway", "policy"}, Flags: map[string]string{"gateway.upstreams": "policy=https://h"}}, "policy runs in this process"},
	} {
		_, err := Load(b.in)
		if err == nil || !strings.Contains(err.Error(), b.want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s\n got %v\nwant %s", b.name, err, b.want)
		}
	}
}

// TestAllAtOnce: mistakes of every source are in one error, sorted.
func TestAllAtOnce(t *testing.T) {
	_, err := load(t, "profle: x\nshutdown: 10\nworker: {parallel: 0}\nurl: http://h.example\n", Input{
		Environ: []string{"STELLA_LOG_LEVEL=loud", "STELLA_TENNANT=x"}, Flags: map[string]string{"listen": "x", "cache": "valkey://u:hunter2@h"}})
	var p Problems
	if !errors.As(err, &p) || len(p) != 8 {
		t.Fatalf("%d mistakes: %v", len(p), err)
	}
	if strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "configuration: 8 mistakes:\n  ") {
		t.Error(err)
	}
}

// TestGoodMaterial: what is right is taken.
func TestGoodMaterial(t *testing.T) {
	dir := material(t)
	text := strings.ReplaceAll(`
profile: airgap
listen: ":8443"
url: https://stella.example
tls: {cert: DIR/cert.pem, key: DIR/ec.key, client_ca: DIR/cert.pem}
identity: {key: DIR/ed.key, trust: DIR/trust}
network: {allow: ["*.inside.example", 10.0.0.0/8, "r.example:5000"], plain_http: [10.1.0.0/16], registries: [{host: "r.example:5000", ca: DIR/cert.pem}]}
services: {policy: "http://10.1.2.3:80"}
concelier: {mirror: "https://m.inside.example/a", sources: {kev: 6h}}
excititor: {trust: DIR/file, sources: ["csaf:https://c.inside.example/p.json", "image:r.example:5000/x"]}
attestor: {timestamp: "http://127.0.0.1:3161", roots: DIR/file, log: DIR/none, log_key: DIR/ed.key, log_origin: log.example}
authority: {seal_key: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=}
signer: {keys: [{name: a, ref: DIR/rsa.key, password_file: DIR/secret}], default: a}
`, "DIR", dir)
	c := must(t, text, Input{Systems: Systems})
	if key, err := c.Authority.SealKey.Key256(); err != nil || key[31] != 31 || c.Signer.Keys[0].Password.Reveal() != "s3cr3t-value" {
		t.Errorf("%v, %v", key, err)
	}
}
