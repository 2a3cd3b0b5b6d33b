package snapshot_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"testing"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/snapshot"
)

// typed reports whether err is of a kind that the package promises.
func typed(err error) bool {
	for _, kind := range []error{snapshot.ErrInvalid, snapshot.ErrMismatch, snapshot.ErrUnsupported, snapshot.ErrNotFound, snapshot.ErrLimit, fs.ErrClosed} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// probe looks at a snapshot in every way, as a stranger's file deserves.
func probe(t *testing.T, data []byte, names ...string) {
	s, err := snapshot.Read(data)
	if err != nil {
		if !typed(err) {
			t.Fatalf("untyped error %v", err)
		}
		return
	}
	defer s.Close()
	check := func(err error) {
		if err != nil && !typed(err) {
			t.Fatalf("untyped error %v", err)
		}
	}
	for _, e := range s.Ecosystems() {
		for _, name := range names {
			entries, err := s.Affected(context.Background(), e.Name, name)
			check(err)
			for _, entry := range entries {
				for range entry.Versions.All() {
				}
				_, err := s.Record(context.Background(), entry.Record)
				check(err)
			}
		}
	}
	for _, ref := range []advisory.Ref{0, 1, 1 << 32, 1<<64 - 1} {
		_, err := s.Record(context.Background(), ref)
		check(err)
	}
	check(s.Verify())
}

// tiny is a snapshot of two records.
func tiny(t testing.TB) []byte {
	list := records("A-1", "B-2")
	list[0].Affected[0].Ranges = []advisory.Range{{Type: "SEMVER", Events: nil}}
	list[0].Affected[0].Versions = advisory.NewVersionList("1", "2")
	data, _ := build(t, list)
	return data
}

// FuzzRead reads damaged files.
func FuzzRead(f *testing.F) {
	data := tiny(f)
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add([]byte("stella snapshot\n"))
	empty, _ := build(f, nil)
	f.Add(empty)
	f.Fuzz(func(t *testing.T, data []byte) { probe(t, data, "x", "") })
}

// FuzzForged reads files that a stranger made: their content is damaged, their
// digests are right.
func FuzzForged(f *testing.F) {
	data := tiny(f)
	for i := 0; i < 200; i += 13 {
		f.Add(uint16(i), byte(0xff), uint16(i*7), byte(1))
	}
	f.Fuzz(func(t *testing.T, at uint16, with byte, at2 uint16, with2 byte) {
		forged := bytes.Clone(data)
		m := footer(forged)
		if m.at <= 16 {
			t.Skip()
		}
		forged[16+uint64(at)%(m.at-16)] = with
		forged[16+uint64(at2)%(m.at-16)] = with2
		probe(t, reseal(t, forged), "x", "")
	})
}

type place struct{ at, size uint64 }

func footer(data []byte) place {
	end := data[len(data)-64:]
	return place{binary.LittleEndian.Uint64(end), binary.LittleEndian.Uint64(end[8:])}
}

// reseal makes all digests of a file right again.
func reseal(t *testing.T, data []byte) []byte {
	m := footer(data)
	var manifest map[string]any
	if err := json.Unmarshal(data[m.at:m.at+m.size], &manifest); err != nil {
		t.Fatal(err)
	}
	body := data[16:m.at]
	for _, s := range manifest["segments"].([]any) {
		info := s.(map[string]any)
		segment := body[:int(info["size"].(float64))]
		body = body[len(segment):]
		frames := binary.LittleEndian.Uint32(segment[48:])
		area := 4*uint64(frames) + 32
		if frames > 0 && area <= uint64(len(body)) {
			area += uint64(binary.LittleEndian.Uint32(body[4*uint64(frames)-4:]))
		}
		body = body[min(area, uint64(len(body))):]
		names, blocks := binary.LittleEndian.Uint32(segment[12:]), binary.LittleEndian.Uint32(segment[28:])
		head := 64 + uint64(names) + 32*(uint64(blocks)+uint64(frames))
		if head <= uint64(len(segment)) {
			rest := segment[head:]
			for b := range uint64(blocks) {
				if b*8192 < uint64(len(rest)) {
					sum := sha256.Sum256(rest[b*8192 : min((b+1)*8192, uint64(len(rest)))])
					copy(segment[64+uint64(names)+32*b:], sum[:])
				}
			}
			sum := sha256.Sum256(segment[:head])
			info["digest"] = "sha256:" + hex.EncodeToString(sum[:])
		}
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	out := append(bytes.Clone(data[:m.at]), text...)
	out = binary.LittleEndian.AppendUint64(out, m.at)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(text)))
	return append(append(out, sum[:]...), "stella snapshot\n"...)
}
