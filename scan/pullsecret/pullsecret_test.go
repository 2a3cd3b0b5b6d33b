package pullsecret_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/pullsecret"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, pullsecret.KeySize) }

func TestBox(t *testing.T) {
	old, err := pullsecret.New(key(1))
	if err != nil {
		t.Fatal(err)
	}
	box, err := pullsecret.New(key(2), key(1))
	if err != nil {
		t.Fatal(err)
	}
	const secret = scan.Secret("Basic Y2FuYXJ5")
	before, err := old.Seal("acme", "scan-1", secret)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := box.Seal("acme", "scan-1", secret)
	b, _ := box.Seal("acme", "scan-1", secret)
	if bytes.Equal(a, b) || bytes.Contains(a, []byte("Y2FuYXJ5")) {
		t.Errorf("sealed twice: %x, %x", a, b)
	}
	for _, sealed := range [][]byte{before, a, b} {
		if got, err := box.Open("acme", "scan-1", sealed); err != nil || got != secret {
			t.Errorf("opened: %q, %v", string(got), err)
		}
	}
	refused := func(what, tenant, job string, x *pullsecret.Box, sealed []byte) {
		t.Helper()
		if got, err := x.Open(tenant, job, sealed); got != "" || !errors.Is(err, pullsecret.ErrForbidden) || bytes.Contains([]byte(err.Error()), []byte("Y2Fu")) {
			t.Errorf("%s: %q, %v", what, string(got), err)
		}
	}
	refused("another tenant", "acmes", "can-1", box, a)
	refused("another job", "acme", "scan-2", box, a)
	refused("the pair cut elsewhere", "acmescan", "-1", box, a)
	refused("the older key alone", "acme", "scan-1", old, a)
	for i := range a {
		changed := bytes.Clone(a)
		changed[i] ^= 1
		refused(fmt.Sprint("byte ", i, " changed"), "acme", "scan-1", box, changed)
		refused(fmt.Sprint("cut at ", i), "acme", "scan-1", box, a[:i])
	}
	for _, k := range [][]byte{nil, key(1)[1:], append(key(1), 0)} {
		if _, err := pullsecret.New(k); !errors.Is(err, pullsecret.ErrInvalid) {
			t.Errorf("key of %d bytes: %v", len(k), err)
		}
		if _, err := pullsecret.New(key(3), k); !errors.Is(err, pullsecret.ErrInvalid) {
			t.Errorf("older key of %d bytes: %v", len(k), err)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v %s", box, box, box, secret); bytes.Contains([]byte(s), []byte("Y2Fu")) || bytes.Contains([]byte(s), key(2)[:4]) {
		t.Errorf("printed: %s", s)
	}
}

// Example seals what a registry is asked with for one job.
func Example() {
	box, err := pullsecret.New(bytes.Repeat([]byte{7}, pullsecret.KeySize)) // of a configuration: random bytes
	if err != nil {
		fmt.Println(err)
		return
	}
	sealed, err := box.Seal("acme", "scan-1", "Basic dXNlcjpwYXNz")
	if err != nil {
		fmt.Println(err)
		return
	}
	opened, err := box.Open("acme", "scan-1", sealed)
	fmt.Println(opened, opened == "Basic dXNlcjpwYXNz", err)
	_, err = box.Open("acme", "scan-2", sealed)
	fmt.Println(err)
	// Output:
	// [redacted] true <nil>
	// it was sealed for another job, or changed: forbidden
}
