package kit_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stella-ops/stella/attest/kit"
	"github.com/stella-ops/stella/attest/role"
)

// FuzzVerify reads any bytes as a kit: they are refused by name, or they are one of
// the files that the publisher wrote.
func FuzzVerify(f *testing.F) {
	p := newPublisher(f)
	known := [][]byte{p.full(f, map[string]string{"vex/a": "one", "policy/b": ""})}
	e := p.publish(f, items(map[string]string{"vex/a": "two", "policy/b": ""}))
	for base := range int64(3) {
		known = append(known, write(f, e, base))
	}
	for _, k := range known {
		f.Add(k)
		f.Add(k[:len(k)/2])
		f.Add(append(k[:len(k):len(k)], 0))
	}
	client := p.client(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		k, err := kit.Verify(ctx, bytes.NewReader(file), client, now)
		if err == nil {
			for _, good := range known {
				if bytes.Equal(file, good) {
					return
				}
			}
			t.Fatalf("a file that nobody wrote is kit %d", k.Version)
		}
		if k != nil || role.ReasonOf(err) == "" {
			t.Fatalf("%v, %v", k, err)
		}
		kind := false
		for _, want := range []error{kit.ErrInvalid, kit.ErrUnsupported, kit.ErrNotFound, kit.ErrConflict, kit.ErrUnavailable, kit.ErrLimit, kit.ErrMismatch} {
			kind = kind || errors.Is(err, want)
		}
		if !kind {
			t.Fatalf("of no kind: %v", err)
		}
		if progress, err := kit.Resume(ctx, bytes.NewReader(file), client, now); err == nil && (progress.Err == nil || progress.Offset > int64(len(file))) {
			t.Fatalf("%+v", progress)
		}
	})
}

// FuzzHead puts any text into kit.json, before metadata that are right.
func FuzzHead(f *testing.F) {
	p := newPublisher(f)
	file := p.full(f, map[string]string{"vex/a": "one"})
	parts := unpack(f, file)
	f.Add(parts[0].data)
	f.Add([]byte(`{"base":0,"files":[],"format":1}`))
	client := p.client(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		l := append([]part{file0("kit.json", text)}, parts[1:]...)
		got := pack(t, l)
		_, err := kit.Verify(ctx, bytes.NewReader(got), client, now)
		if err == nil != bytes.Equal(got, file) || err != nil && role.ReasonOf(err) == "" {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
