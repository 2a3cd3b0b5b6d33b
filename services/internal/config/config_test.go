package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/configuration.md and the golden files")

// golden compares a text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update writes it:\n%s", name, diff)
	}
}

func TestDocs(t *testing.T) { golden(t, "../../../docs/configuration.md", Docs()) }

// TestModel holds the model to its own rules.
func TestModel(t *testing.T) {
	l := &loader{out: new(Config)}
	var all []field
	for _, f := range fields() {
		all = append(all, f)
		if records(f.typ) {
			all = append(all, below(f.typ.Elem(), f.key+"[].", nil, f.reads)...)
		}
	}
	seen := map[string]string{}
	for _, f := range all {
		if !strings.HasSuffix(f.tag.Get("doc"), ".") {
			t.Errorf("%s has no doc that ends with a period", f.key)
		}
		if is := f.tag.Get("is"); is != "" && l.checks()[is] == nil {
			t.Errorf("%s: no check is called %q", f.key, is)
		}
		number := f.typ.Kind() == reflect.Int || f.typ.Kind() == reflect.Int64 || f.typ.Kind() == reflect.Map && f.typ.Elem() == durationType
		if number && (f.tag.Get("min") == "" || f.tag.Get("max") == "") {
			t.Errorf("%s has no bounds", f.key)
		}
		for _, s := range strings.Fields(f.reads) {
			if s != "all" && s != "migrate" && !strings.Contains(strings.Join(Systems, " "), s) {
				t.Errorf("%s is read by %q, which is no system", f.key, s)
			}
		}
		if other := seen[variable(f.key)]; other != "" {
			t.Errorf("%s and %s have one variable", f.key, other)
		}
		seen[variable(f.key)] = f.key
		if set(variable(f.key)) {
			t.Errorf("%s is taken for a variable that a cluster makes", variable(f.key))
		}
	}
	if len(all) < 80 {
		t.Errorf("only %d keys", len(all))
	}
}

// load is Load with a file of some text.
func load(t testing.TB, text string, in Input) (*Config, error) {
	t.Helper()
	if text != "" {
		in.File = filepath.Join(t.TempDir(), "stella.yaml")
		if err := os.WriteFile(in.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(in)
}

func must(t testing.TB, text string, in Input) *Config {
	t.Helper()
	c, err := load(t, text, in)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := must(t, "", Input{Environ: []string{"PATH=/bin", "STELLA_PORT=tcp://10.0.0.1:8443", "STELLA_GATEWAY_SERVICE_HOST=10.0.0.1"}, Defaults: map[string]string{"listen": "127.0.0.1:0"}})
	if c.Profile != Embedded || c.Listen != "127.0.0.1:0" || c.Shutdown != 10*time.Second || c.Store.Reveal() != "sqlite:stella-data/stella.db" || c.Bucket.Reveal() != "file:stella-data/artifacts" || c.Queue.Reveal() != "" {
		t.Errorf("%+v", c)
	}
	if c.Retention.Scans != 90*day || c.Gateway.Body != 256<<20 || c.Instance == "" {
		t.Errorf("%+v", c)
	}
	if _, err := os.Stat("stella-data"); err == nil {
		t.Error("loading made the folder")
	}
}

// TestOrder: flags over environment over file over defaults, also where one names a file.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "url")
	if err := os.WriteFile(secret, []byte("valkey://u:from-file@h/0\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	text := "log: {level: debug, format: text}\ncache: valkey://u:in-yaml@h/0\nqueue_file: " + secret + "\ntenant: yaml\nnetwork:\n  allow: one.example\ngateway:\n  upstreams:\n    scanner: [https://a.example, https://b.example]\n"
	c := must(t, text, Input{
		Environ: []string{"STELLA_LOG_LEVEL=warn", "STELLA_CACHE_FILE=" + secret, "STELLA_QUEUE=mem:", "STELLA_TENANT=env", "STELLA_SERVICES=policy=https://p.example,signer=https://s.example",
			"STELLA_CONCELIER_SOURCES=kev=6h,epss=24h", "STELLA_LOG_FORMAT="},
		Flags: map[string]string{"tenant": "flag", "gateway.upstreams": "policy=https://c.example,policy=https://d.example"},
	})
	got := []any{c.Log.Level, c.Log.Format, c.Cache.Reveal(), c.Queue.Reveal(), c.Tenant, c.Network.Allow, c.Services, c.Concelier.Sources, c.Gateway.Upstreams}
	want := []any{"warn", "text", "valkey://u:from-file@h/0", "mem:", "flag", []string{"one.example"}, map[string]string{"policy": "https://p.example", "signer": "https://s.example"},
		map[string]time.Duration{"kev": 6 * time.Hour, "epss": 24 * time.Hour}, map[string][]string{"policy": {"https://c.example", "https://d.example"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if o := c.Origin("tenant"); o != "flag --tenant" {
		t.Errorf("origin %q", o)
	}
	if o := c.Origin("gateway.upstreams.scanner[0]"); o != "" {
		t.Errorf("origin %q of what a flag replaced", o)
	}
}

func TestFlags(t *testing.T) {
	set := pflag.NewFlagSet("t", pflag.ContinueOnError)
	f := AddFlags(set)
	if err := set.Parse([]string{"--data", "d", "--gateway.bearer", "--network.allow", "a.example", "--network.allow=b.example,c.example", "--shutdown=3s"}); err != nil {
		t.Fatal(err)
	}
	c := must(t, "", f.Input(nil, nil))
	if c.Data != "d" || !c.Gateway.Bearer || len(c.Network.Allow) != 3 || c.Shutdown != 3*time.Second {
		t.Errorf("%+v", c)
	}
	for _, name := range []string{"authority.seal_key", "network.registries", "notifier.ack_key"} {
		if set.Lookup(name) != nil {
			t.Errorf("there is a flag --%s", name)
		}
	}
	if set.Lookup("authority.seal_key_file") == nil || !strings.Contains(set.FlagUsages(), "--log.level text") {
		t.Errorf("usage:\n%s", set.FlagUsages())
	}
}

const printed = `
tenant: "12"
store: postgres://stella:hunter22@db.example/stella
services: {policy: "https://p.example"}
network:
  allow: [10.0.0.0/8, "*.example"]
  registries:
    - {host: "r.example:5000", username: me, password: hunter33}
    - host: q.example
      tenant: acme
      plain_http: true
concelier: {sources: {kev: 6h, epss: 24h}}
notifier: {ack_key: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f}
`

// TestPrint: what is printed shows no secret, and reads back as the same configuration.
func TestPrint(t *testing.T) {
	in := Input{Environ: []string{"STELLA_LOG_LEVEL=debug", "STELLA_INSTANCE=one", "STELLA_CACHE=valkeys://u:hunter44@v.example/0"}, Flags: map[string]string{"shutdown": "90s"}}
	c := must(t, printed, in)
	var b bytes.Buffer
	if err := c.Print(&b); err != nil {
		t.Fatal(err)
	}
	dir := c.origins["tenant"]
	dir = strings.TrimSuffix(dir, filepath.Base(dir))
	got := strings.ReplaceAll(b.String(), dir, "")
	golden(t, "testdata/print.yaml", got)
	if strings.Contains(got, "hunter") || strings.Contains(got, "1e1f") {
		t.Error("it shows a secret")
	}
	clean := strings.NewReplacer(`"[redacted]"`, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "xxxxx", "hunter22").Replace(got)
	again := must(t, clean, Input{})
	for _, f := range fields() {
		if private(f.typ) || records(f.typ) {
			continue
		}
		if diff := cmp.Diff(c.at(f.index).Interface(), again.at(f.index).Interface()); diff != "" {
			t.Errorf("%s read back: %s", f.key, diff)
		}
	}
	if len(again.Network.Registries) != 2 || !again.Network.Registries[1].PlainHTTP {
		t.Errorf("registries read back: %+v", again.Network.Registries)
	}
}

// TestSecretsAreHidden: whatever prints a configuration shows none.
func TestSecretsAreHidden(t *testing.T) {
	c := must(t, printed, Input{})
	for _, s := range []string{cmp.Diff(nil, any(c.Store.String())), c.Redact("dial postgres://stella:hunter22@db"), strings.TrimSpace(c.Network.Registries[0].Password.String())} {
		if strings.Contains(s, "hunter") {
			t.Errorf("shown: %s", s)
		}
	}
	if len(c.Secrets()) != 3 {
		t.Errorf("%d secrets", len(c.Secrets()))
	}
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte(printed))
	f.Add([]byte("a: &a [1]\nb: *a\n"))
	f.Add([]byte("gateway: {rate: {burst: 1, burst: 2}}\n---\n"))
	f.Add([]byte("store_file: x\nstore: y\n? [a]\n: b\n"))
	f.Add([]byte("network: {registries: [{host: h, password_file: /dev/null}]}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			return
		}
		l := &loader{out: new(Config), origins: map[string]string{}, files: map[string]reference{}}
		l.defaults()
		l.parse("f.yaml", text)
		clear(l.files) // what they name is not read here
		l.derive()
		if len(l.problems) > 0 {
			if err := error(l.problems); !errors.Is(err, ErrInvalid) || err.Error() == "" {
				t.Error(err)
			}
			return
		}
		l.out.origins = l.origins
		var b bytes.Buffer
		if err := l.out.Print(&b); err != nil {
			t.Fatal(err)
		}
		again := &loader{out: new(Config), origins: map[string]string{}, files: map[string]reference{}}
		again.parse("again.yaml", b.Bytes())
		if len(again.problems) > 0 {
			t.Errorf("what was printed is wrong: %v\n%s", again.problems, b.Bytes())
		}
	})
}
