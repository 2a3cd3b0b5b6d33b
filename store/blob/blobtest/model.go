package blobtest

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stella-ops/stella/store/blob"
)

// driverModel compares a driver with a map.
func (s *suite) driverModel(t *testing.T) {
	d := s.open(t)
	names := []string{"a", "b-1", "c/d", "c/e.x", "f/g/h", "f/g/i+j"}
	model := map[string]string{} // kept over the runs, as is the driver
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		key := rapid.SampledFrom(names)
		rt.Repeat(map[string]func(*rapid.T){
			"create": func(rt *rapid.T) {
				k, v := key.Draw(rt, "key"), rapid.StringN(0, 40, 200).Draw(rt, "value")
				if err := d.Create(ctx, k, strings.NewReader(v), int64(len(v))); err != nil {
					rt.Fatal(err)
				}
				model[k] = v
			},
			"refused": func(rt *rapid.T) {
				k, v := key.Draw(rt, "key"), rapid.String().Draw(rt, "value")
				if err := d.Create(ctx, k, strings.NewReader(v), int64(len(v)+1)); !errors.Is(err, blob.ErrMismatch) {
					rt.Fatal(err)
				}
			},
			"copy": func(rt *rapid.T) {
				from, to := key.Draw(rt, "from"), key.Draw(rt, "to")
				v, ok := model[from]
				if from == to {
					return
				}
				if err := d.Copy(ctx, from, to); (err == nil) != ok || !ok && !errors.Is(err, blob.ErrNotFound) {
					rt.Fatalf("there: %v; %v", ok, err)
				}
				if ok {
					model[to] = v
				}
			},
			"delete": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				if err := d.Delete(ctx, k); err != nil {
					rt.Fatal(err)
				}
				delete(model, k)
			},
			"range": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				offset, length := rapid.Int64Range(0, 60).Draw(rt, "offset"), rapid.Int64Range(-1, 60).Draw(rt, "length")
				got, err := readAll(d.Open(ctx, k, offset, length))
				v, ok := model[k]
				v = v[min(int(offset), len(v)):]
				if length >= 0 {
					v = v[:min(int(length), len(v))]
				}
				if (err == nil) != ok || string(got) != v {
					rt.Fatalf("there: %v; %v; got %q, want %q", ok, err, got, v)
				}
			},
			"": func(rt *rapid.T) {
				prefix := rapid.SampledFrom([]string{"", "c/", "f/g/", "b"}).Draw(rt, "prefix")
				want := slices.DeleteFunc(slices.Sorted(maps.Keys(model)), func(k string) bool { return !strings.HasPrefix(k, prefix) })
				if diff := cmp.Diff(append([]string{}, want...), keys(t, d, prefix)); diff != "" {
					rt.Fatalf("prefix %q: %s", prefix, diff)
				}
			},
		})
	})
}

// bucketModel compares a bucket with a map: what is put can be read until it is
// collected, and names have what they were given.
func (s *suite) bucketModel(t *testing.T) {
	b := blob.New(ancient{aged{s.open(t)}})
	objects, named := map[string]blob.Ref{}, map[string]string{}
	refs := newRegister()
	value := rapid.SampledFrom([]string{"", "one", "two", "three", strings.Repeat("four", 1000)})
	name := rapid.SampledFrom([]string{"scan-1/sbom.json", "scan-1/bundle.jsonl", "scan-2/sbom.json"})
	rapid.Check(t, func(rt *rapid.T) {
		ctx := t.Context()
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				v := value.Draw(rt, "value")
				ref, err := b.Put(ctx, strings.NewReader(v))
				if err != nil {
					rt.Fatal(err)
				}
				objects[v] = ref
			},
			"name": func(rt *rapid.T) {
				n, v := name.Draw(rt, "name"), value.Draw(rt, "value")
				ref, ok := objects[v]
				if !ok {
					ref = refOf([]byte(v))
				}
				if err := b.Name(ctx, ref, n); (err == nil) != ok {
					rt.Fatalf("there: %v; %v", ok, err)
				}
				if ok {
					named[n] = v
				}
			},
			"unname": func(rt *rapid.T) {
				n := name.Draw(rt, "name")
				if err := b.Unname(ctx, n); err != nil {
					rt.Fatal(err)
				}
				delete(named, n)
			},
			"collect": func(rt *rapid.T) {
				kept := value.Draw(rt, "kept")
				digest := refOf([]byte(kept)).Digest
				refs.refer(digest)
				if _, err := b.Collect(ctx, refs, 1); err != nil {
					rt.Fatal(err)
				}
				refs.drop(digest)
				maps.DeleteFunc(objects, func(v string, _ blob.Ref) bool { return v != kept })
			},
			"": func(rt *rapid.T) {
				v := value.Draw(rt, "read")
				_, ok := objects[v]
				if got, err := readAll(b.Open(ctx, refOf([]byte(v)))); (err == nil) != ok || ok && string(got) != v {
					rt.Fatalf("there: %v; %v; %d bytes", ok, err, len(got))
				}
				n := name.Draw(rt, "read name")
				want, ok := named[n]
				got, err := readAll(b.OpenName(ctx, n, refOf([]byte(want))))
				if (err == nil) != ok || !bytes.Equal(got, []byte(want)) {
					rt.Fatalf("name %s there: %v; %v; %d bytes", n, ok, err, len(got))
				}
			},
		})
	})
}
