package proof

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/export"
	"github.com/stella-ops/stella/internal/e2e/servers"
	"github.com/stella-ops/stella/internal/sum"
)

const gapVariable = "STELLA_AIRGAP"

// TestAirGapChild is what TestAirGap runs: it has a folder with a trust root and evidence,
// and nothing else.
func TestAirGapChild(t *testing.T) {
	dir := os.Getenv(gapVariable)
	if dir == "" {
		t.Skip("it is run by TestAirGap")
	}
	text, err := os.ReadFile(filepath.Join(dir, "root.json"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := attest.DecodeRoot(text)
	if err != nil {
		t.Fatal(err)
	}
	v := attest.Verifier{Trust: *root.Trust(nil)}
	files, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		bundle, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if strings.HasPrefix(filepath.Base(file), "evidence") {
			_, err = v.Evidence(context.Background(), bundle, sum.Of(bundle), everything())
		} else {
			_, err = v.Lines(context.Background(), bundle, sum.Of(bundle), logged())
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		t.Logf("verified %s: %d bytes in %v", filepath.Base(file), len(bundle), time.Since(began).Round(time.Microsecond))
		bundle[len(bundle)/2] ^= 1
		if _, err := v.Lines(context.Background(), bundle, "", logged()); attest.Code(err) == "" {
			t.Errorf("%s with a byte changed: %v", file, err)
		}
	}
}

// TestAirGap verifies bundles of every signed format, and full evidence of a large image,
// against a trust root in processes without a network: one that has no interface, and one
// that is watched and asks for none.
func TestAirGap(t *testing.T) {
	l := newLab(t, newParties(t))
	l.settings(export.SignLog, export.Formats()...)
	l.work()
	dir := t.TempDir()
	for _, e := range l.exports() {
		if e.Format == export.Evidence || e.Made == nil || e.Made.Bundle.Name == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, string(e.Format)+".jsonl"), l.object(e.Made.Bundle), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text, err := l.parties.root.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"root.json": text, "evidence-scan.jsonl": l.object(l.made(export.Evidence).Made.Bundle), "evidence-2000-packages.jsonl": l.parties.proved(t, 2000)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.close()
	t.Run("without interfaces", func(t *testing.T) {
		unshare := servers.Tool(t, "unshare")
		if out, err := exec.Command(unshare, "--net", "--map-root-user", "true").CombinedOutput(); err != nil {
			t.Skipf("a network of its own is not permitted here: %v: %s", err, out)
		}
		t.Log(gapped(t, dir, unshare, "--net", "--map-root-user"))
	})
	t.Run("watched", func(t *testing.T) {
		strace := servers.Tool(t, "strace")
		log := filepath.Join(t.TempDir(), "log")
		if out, err := exec.Command(strace, "-o", log, "-e", "trace=network", "true").CombinedOutput(); err != nil {
			t.Skipf("strace does not work here: %v: %s", err, out)
		}
		gapped(t, dir, strace, "-f", "-o", log, "-e", "trace=network")
		calls, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if got := network.FindAll(calls, 10); len(got) > 0 {
			t.Errorf("it asked for a network: %s", bytes.Join(got, []byte("\n")))
		}
		if !bytes.Contains(calls, []byte("exited with 0")) {
			t.Errorf("the log is of something else: %.500s", calls)
		}
	})
	t.Run("strace sees a network", func(t *testing.T) { // the control
		strace := servers.Tool(t, "strace")
		log := filepath.Join(t.TempDir(), "log")
		cmd := exec.Command(strace, "-f", "-o", log, "-e", "trace=network", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/1")
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Fatalf("something listens on port 1: %s", out)
		}
		if calls, err := os.ReadFile(log); err != nil || !network.Match(calls) {
			t.Skipf("strace does not see connect here: %v: %s", err, calls)
		}
	})
}

// network are the calls that reach anybody, or make what could.
var network = regexp.MustCompile(`(?m)^\d+ +(socket|socketpair|connect|bind|listen|accept4?|send\w*|recv\w*)\(.*$`)

// gapped verifies in a process that a command starts, and returns what it said.
func gapped(t *testing.T, dir, command string, args ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command, append(args, self, "-test.run=^TestAirGapChild$", "-test.v")...)
	cmd.Env = append(os.Environ(), gapVariable+"="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("verified ")) < 6 {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}
