package flows

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// connected are the addresses that a trace of connections has.
var connected = regexp.MustCompile(`connect\(\d+, \{sa_family=AF_INET6?, (?:sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)|sin6_port=htons\((\d+)\).*?inet_pton\(AF_INET6, "([^"]+)")`)

// TestAirGap has all flows in a closed installation, and looks at every connection that it
// makes: there are none but to the registry and the webhook, which are listed.
func TestAirGap(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not there")
	}
	s := newSite(t)
	s.gateway = "http://" + free(t, 1)[0]
	trace := filepath.Join(s.dir, "connections")
	s.watch = []string{strace, "-f", "--seccomp-bpf", "-e", "trace=connect", "-o", trace}
	s.settings = s.common() + "profile: airgap\ndata: " + filepath.Join(s.dir, "data") + "\nlisten: " + strings.TrimPrefix(s.gateway, "http://") + "\n"
	s.start(group{name: "all"})
	password, err := os.ReadFile(filepath.Join(s.dir, "data", "initial-password"))
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(string(password))
	flows(t, s, s.admin("default", secret), "default", secret)
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{s.registry: true, strings.TrimPrefix(s.told.url, "http://"): true}
	seen := map[string]int{}
	for _, m := range connected.FindAllStringSubmatch(string(text), -1) {
		seen[m[2]+m[4]+":"+m[1]+m[3]]++
	}
	for address, n := range seen {
		if !listed[address] {
			t.Errorf("%d connections to %s, which is not listed", n, address)
		}
	}
	if seen[s.registry] == 0 {
		t.Errorf("the trace does not even have the registry: %v", seen)
	}
}
