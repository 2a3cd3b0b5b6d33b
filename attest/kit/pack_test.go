package kit_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/sum"
)

// part is a member of a kit that is taken apart, to be put together otherwise: an
// attacker can do so without any key.
type part struct {
	tar.Header
	data []byte
}

func unpack(t testing.TB, file []byte) (out []part) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(file))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, file0(h.Name, data))
	}
}

// file0 is a member as all of a kit are.
func file0(name string, data []byte) part {
	return part{tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o644, Format: tar.FormatUSTAR}, data}
}

// pack puts members together as they are.
func pack(t testing.TB, parts []part) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, p := range parts {
		if err := w.WriteHeader(&p.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(p.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// headed puts a right kit.json before metadata and contents.
func headed(t testing.TB, base int64, parts []part) []part {
	t.Helper()
	list := []map[string]any{}
	for _, p := range parts {
		if strings.HasSuffix(p.Name, ".json") && p.Name != "kit.json" {
			list = append(list, map[string]any{"name": p.Name, "length": len(p.data), "digest": sum.Of(p.data)})
		}
	}
	head := file0("kit.json", []byte(canonical(t, map[string]any{"base": base, "files": list, "format": 1})))
	return append([]part{head}, slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return p.Name == "kit.json" })...)
}

func canonical(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err == nil {
		err = (*jsontext.Value)(&b).Canonicalize()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// the returns the first member whose name ends so.
func the(t testing.TB, parts []part, suffix string) *part {
	t.Helper()
	i := slices.IndexFunc(parts, func(p part) bool { return strings.HasSuffix(p.Name, suffix) })
	if i < 0 {
		t.Fatalf("no %s", suffix)
	}
	return &parts[i]
}

func (p *part) set(data []byte) {
	p.data, p.Size = data, int64(len(data))
}

// forge changes the payload of metadata and signs it by the keys of a thief.
func (p *part) forge(t testing.TB, r role.Role, change func(p map[string]any), keys ...string) {
	t.Helper()
	e, err := dsse.Decode(p.data)
	if err != nil {
		t.Fatal(err)
	}
	payload := map[string]any{}
	if err := json.Unmarshal(e.Payload, &payload); err != nil {
		t.Fatal(err)
	}
	change(payload)
	e, err = dsse.Sign(ctx, "application/vnd.stella.role."+string(r)+"+json", []byte(canonical(t, payload)), signers(keys...)...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	p.set(data)
}

// forgeTargets does so with the targets, and has the roles above name the result.
func forgeTargets(t testing.TB, parts []part, change func(p map[string]any)) {
	t.Helper()
	the(t, parts, "targets.json").forge(t, role.RoleTargets, change, "t1", "t2")
	relink(t, parts, 1)
}

// relink has snapshot and timestamp name what is there now, by their real keys.
func relink(t testing.TB, parts []part, version int64) {
	t.Helper()
	about := func(p *part) map[string]any {
		return map[string]any{"digest": sum.Of(p.data), "length": len(p.data), "version": version}
	}
	sn := the(t, parts, "snapshot.json")
	sn.forge(t, role.RoleSnapshot, func(p map[string]any) { p["targets"] = about(the(t, parts, "targets.json")) }, "s1")
	the(t, parts, "timestamp.json").forge(t, role.RoleTimestamp, func(p map[string]any) { p["snapshot"] = about(sn) }, "m1")
}
