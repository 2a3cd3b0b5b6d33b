package attest_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/attest/intoto"
	"github.com/stella-ops/stella/attest/tlog"
)

func (w *world) root() *attest.Root {
	return &attest.Root{Keys: w.trust.Keys, Logs: w.trust.Logs, Authorities: w.trust.Authorities, Sigstore: []byte(`{"mediaType":"x"}`)}
}

func TestRoot(t *testing.T) {
	w := newWorld(t)
	w.trust.Logs.Witnesses, w.trust.Authorities[0].To = []*tlog.Key{witness(w)}, now.Add(time.Hour)
	text, err := w.root().Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := attest.DecodeRoot(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Encode()
	if err != nil || !bytes.Equal(text, again) || string(back.Sigstore) != `{"mediaType":"x"}` {
		t.Errorf("%s, want %s: %v", again, text, err)
	}
	v := attest.Verifier{Trust: *back.Trust(nil)}
	if _, err := v.Verify(t.Context(), encode(t, w.proved(w.statement(intoto.PredicateSPDX))), &attest.Expectation{At: now, Logged: true, Stamped: true}); err != nil {
		t.Errorf("what the file says is not what was written: %v", err)
	}
}

func TestRootRefuses(t *testing.T) {
	w := newWorld(t)
	w.trust.Logs.Witnesses = []*tlog.Key{witness(w)}
	good, err := w.root().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		old, new string
		want     error
	}{
		"another schema":       {"trust-root/v1", "trust-root/v2", attest.ErrUnsupported},
		"unknown member":       {`{"keys"`, `{"more":1,"keys"`, attest.ErrInvalid},
		"a member twice":       {`{"keys"`, `{"keys":{},"keys"`, attest.ErrInvalid},
		"no keys":              {`"keys":{"format":1`, `"keys":{"format":2`, attest.ErrUnsupported},
		"a broken log key":     {`"logs":[{"key":"log`, `"logs":[{"key":"log+0+`, attest.ErrInvalid},
		"a broken certificate": {`"certificates":["MII`, `"certificates":["AAA`, attest.ErrInvalid},
		"no certificate":       {`"certificates":[`, `"certificates":[],"x":[`, attest.ErrInvalid},
		"more witnesses":       {`"witnesses":`, `"witness_threshold":2,"witnesses":`, attest.ErrInvalid},
		"a log for a witness":  {`"witnesses":["`, `"witnesses":["` + w.log.Key().String() + `","`, attest.ErrInvalid},
		"a witness for a log":  {`"logs":[`, `"logs":[{"key":"` + w.trust.Logs.Witnesses[0].String() + `"},`, attest.ErrInvalid},
		"one witness twice":    {`"witnesses":[`, `"witness_threshold":2,"witnesses":["` + w.trust.Logs.Witnesses[0].String() + `",`, attest.ErrInvalid},
		"witnesses of no log":  {`"logs":[{"key":"` + w.log.Key().String() + `"}],`, ``, attest.ErrInvalid},
		"an end before it":     {`"timestamp_authorities":[{`, `"timestamp_authorities":[{"to":"1999-01-01T00:00:00Z",`, attest.ErrInvalid},
		"text after it":        {`trust-root/v1"`, `trust-root/v1"} {"a":1`, attest.ErrInvalid},
	} {
		text := strings.Replace(string(good), c.old, c.new, 1)
		if text == string(good) {
			t.Fatalf("%s: nothing changed in %s", name, good)
		}
		if _, err := attest.DecodeRoot([]byte(text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := attest.DecodeRoot(bytes.Repeat([]byte(" "), attest.MaxRoot+1)); !errors.Is(err, attest.ErrLimit) {
		t.Error(err)
	}
}

func FuzzDecodeRoot(f *testing.F) {
	w := newWorld(f)
	good, err := w.root().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := attest.DecodeRoot(text)
		if err != nil {
			return
		}
		if _, err := r.Encode(); err != nil {
			t.Errorf("read and not written: %v", err)
		}
	})
}
