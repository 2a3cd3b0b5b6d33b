//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/e2e/hostile"
)

// TestScan runs a scanner that misbehaves as it is told by the path of the image.
func TestScan(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for what does not end")
	}
	if err := exec.Command("unshare", "--net", "true").Run(); err != nil {
		t.Skipf("a network of its own is not permitted here: %v", err)
	}
	dir := t.TempDir()
	script := `#!/bin/sh
what=$(basename "$2" .tar)
all='{"artifacts":[{"name":"witness"},{"name":"seen"}]}'
case "$what" in
sound) echo "[0001] WARN usual of /a/b" >&2; echo "$all";;
read) echo "[0002] WARN usual of /c/d" >&2; echo "$all";;
said) echo "[0003] WARN jar of /x is corrupt" >&2; echo '{"artifacts":[{"name":"witness"}]}';;
silent) echo '{"artifacts":[{"name":"witness"}]}';;
accepted) echo "$all";;
gap) echo "$all";;
refused) echo "error: cannot read" >&2; exit 1;;
crash) echo "panic: index out of range" >&2; exit 2;;
signal) kill -11 $$;;
noise) echo "not JSON";;
late) sleep 20;;
busy) while :; do :; done;;
large) exec awk 'BEGIN { s = "x"; while (1) s = s s }';;
escape) echo x > "$PWD/new"; echo "$all";;
left) echo x > "$TMPDIR/left"; echo "$all";;
net) (echo > /dev/tcp/192.0.2.1/80) 2>/dev/null; echo "$all";;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "syft"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &settings{corpus: dir, bin: dir, memory: 256 << 20, cpu: 3 * time.Second, wall: 15 * time.Second, usual: map[string]map[string]bool{}}
	image := func(name string) hostile.Made {
		return hostile.Made{Source: "docker-archive", Path: name + ".tar", Packages: []string{"org.example:seen", "bin/x", "witness"}}
	}
	control := s.scan("syft", tools["syft"], image("sound"))
	if control.exit != 0 || len(control.said) != 1 || len(control.missing) != 0 {
		t.Fatalf("%+v", control)
	}
	s.usual["syft"] = map[string]bool{control.said[0]: true}
	for name, want := range map[string]string{
		"read": same, "said": said, "silent": silent, "refused": refused, "crash": crash, "signal": crash, "noise": crash,
		"late": slow, "busy": slow, "escape": escape, "left": same, "net": same, "accepted": accepted, "gap": silent, "large": memory,
	} {
		m := image(name)
		switch name {
		case "accepted":
			m.Error = "invalid input"
		case "gap":
			m.Gaps, m.Packages = []string{"!limit x"}, []string{"witness", "seen"}
		case "large":
			g := newGroup(s.memory)
			g.close()
			if g.dir == "" {
				continue // nothing bounds memory here
			}
		}
		r := s.scan("syft", tools["syft"], m)
		if r.verdict != want || (r.left > 0) != (name == "left") {
			t.Errorf("%s: %s (%s), want %s; %d left, exit %d, %v, %d bytes", name, r.verdict, r.why, want, r.left, r.exit, r.cpu, r.peak)
		}
	}
}
