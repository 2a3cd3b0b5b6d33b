package flows

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/e2e/servers"
)

// spread is an installation of many processes over engines, each with the systems that an
// operator would put together or apart.
func spread(t testing.TB, e engines) (*site, string) {
	t.Helper()
	s := newSite(t)
	addresses := free(t, 5)
	s.gateway = "http://" + addresses[0]
	at := func(i int) string { return "http://" + addresses[i] }
	for _, name := range []string{"gateway", "worker", "export-center", "scanner-web"} {
		s.keyPair(name)
	}
	for _, name := range []string{"signing", "log"} {
		if out, err := exec.Command(stella(t), "attest", "keygen", "--no-password", filepath.Join(s.dir, name)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	root := filepath.Join(s.dir, "trust.json")
	if out, err := exec.Command(stella(t), "attest", "trust", root, "--key", filepath.Join(s.dir, "signing.pub"), "--log-key", "log.example="+filepath.Join(s.dir, "log.pub")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.settings = s.common() + "profile: distributed\nstore: " + e.store + "\nqueue: " + e.queue + "\ncache: " + e.cache + "\nbucket: " + e.bucket + "\n" +
		"authority: {seal_key: " + secret256() + "}\n" +
		"attestor: {log: store, log_origin: log.example, roots: " + root + "}\n" +
		"services: {scanner: " + at(1) + ", signer: " + at(3) + ", attestor: " + at(3) + "}\n"
	key := func(name string) string {
		return "identity: {trust: " + filepath.Join(s.dir, "trust") + ", key: " + filepath.Join(s.dir, name+".key") + "}\n"
	}
	trust := "identity: {trust: " + filepath.Join(s.dir, "trust") + "}\n"
	on := func(i int, more string) string {
		return "listen: " + addresses[i] + "\ndata: " + filepath.Join(s.dir, fmt.Sprint("data-", i)) + "\n" + more
	}
	var processes []*process
	for _, g := range []group{
		{"authority", []string{"authority"}, on(4, trust)},
		{"gateway", []string{"gateway"}, on(0, key("gateway")+"gateway:\n  upstreams:\n    authority: ["+at(4)+"]\n"+upstreams(at(1), "scanner")+upstreams(at(2), "concelier", "excititor", "policy", "scheduler", "notifier", "timeline", "exporter")+upstreams(at(3), "signer", "attestor"))},
		{"scanner", []string{"scanner"}, on(1, key("scanner-web"))},
		{"knowledge", []string{"concelier", "excititor", "policy", "scheduler", "notifier", "timeline", "exporter"}, on(2, key("export-center"))},
		{"proof", []string{"signer", "attestor"}, on(3, trust+"signer: {default: release, keys: [{name: release, ref: "+filepath.Join(s.dir, "signing.key")+"}]}\n")},
		{"worker-1", []string{"worker"}, key("worker") + "worker: {callbacks: true}\ndata: " + filepath.Join(s.dir, "data-w1") + "\n"},
		{"worker-2", []string{"worker"}, key("worker") + "data: " + filepath.Join(s.dir, "data-w2") + "\n"},
	} {
		if g.name == "proof" { // the log's key is there alone
			g.config += ""
			s.env = append(s.env, "STELLA_ATTESTOR_LOG_KEY="+filepath.Join(s.dir, "log.key"))
		}
		processes = append(processes, s.launch(g))
		s.env = nil
	}
	for _, p := range processes {
		if p.name != "gateway" {
			s.ready(p)
		}
	}
	s.ready(processes[1])
	password := s.write("password", []byte("correct horse battery staple\n"))
	boot := exec.Command(stella(t), "authority", "bootstrap", "--config", processes[0].config, "--first-tenant", "default", "--password-file", password, "--management.listen=")
	boot.Env = environ()
	out, err := boot.CombinedOutput()
	if err != nil {
		t.Fatalf("bootstrap: %v: %s", err, out)
	}
	text, err := os.ReadFile(password)
	if err != nil {
		t.Fatal(err)
	}
	return s, strings.TrimSpace(string(text))
}

func upstreams(address string, systems ...string) string {
	var out strings.Builder
	for _, s := range systems {
		fmt.Fprintf(&out, "    %s: [%s]\n", s, address)
	}
	return out.String()
}

// TestDistributed has all flows over processes of their own, on PostgreSQL and an S3 server,
// with each of the queues.
func TestDistributed(t *testing.T) {
	for name, queue := range map[string]func(testing.TB) string{"Valkey": servers.Valkey, "NATS": servers.NATS} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prefix := "flows-" + strings.ToLower(name)
			s, password := spread(t, engines{store: servers.PostgresStore(t).App, queue: queue(t) + "?prefix=" + prefix, cache: servers.Valkey(t) + "?prefix=" + prefix, bucket: servers.S3(t)})
			admin := s.admin("default", password)
			flows(t, s, admin, "default", password)
		})
	}
}
