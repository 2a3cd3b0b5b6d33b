package policy_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// pinned is the digest of what the first thousand random cases give. It changes only
// together with policy.Semantics, or with what this package's tests roll.
const pinned = "193bd4aef94dbe2ae367a7c80fb521b8b0feb6fe2288adb2c3e401d5e8e84705"

func digestOfCases(t testing.TB, n int) string {
	h := sha256.New()
	for seed := range n {
		d := dice{rand.New(rand.NewPCG(uint64(seed), 19))}
		r := evaluate(t, d.policy(), d.inputs(t))
		h.Write(r.Body)
		h.Write(r.Trace)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// TestPinned: the same inputs give the same bytes as ever, on every architecture. CI
// runs it for 386 as well.
func TestPinned(t *testing.T) {
	got := digestOfCases(t, 1000)
	if got != pinned {
		t.Errorf("a thousand cases give %s, want %s", got, pinned)
	}
	if path := os.Getenv("STELLA_DIGEST_OF_CASES"); path != "" { // the child below
		if err := os.WriteFile(path, []byte(digestOfCases(t, cases(300, 100_000))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestElsewhere: another time zone, language and number of processors change no byte.
func TestElsewhere(t *testing.T) {
	want := digestOfCases(t, cases(300, 100_000))
	for _, env := range []string{"TZ=Asia/Kolkata LANG=tr_TR.UTF-8 GOMAXPROCS=1", "TZ=America/St_Johns LC_ALL=C GOMAXPROCS=7 GODEBUG=randautoseed=1"} {
		path := t.TempDir() + "/digest"
		c := exec.Command(os.Args[0], "-test.run=^TestPinned$")
		c.Env = append(append(os.Environ(), strings.Fields(env)...), "STELLA_DIGEST_OF_CASES="+path)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", env, err, out)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s gives %s, want %s (%v)", env, got, want, err)
		}
	}
}
