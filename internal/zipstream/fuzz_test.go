package zipstream

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
)

// FuzzOpen feeds whole archives. What is read must be what the standard
// library reads, wherever that reads it too.
func FuzzOpen(f *testing.F) {
	f.Add(pack(f, "", sample[:3]...))
	f.Add(pack(f, "comment", sample[4]))
	f.Add(append([]byte("#!/bin/sh\n"), pack(f, "", sample[:3]...)...))
	f.Add(patch(f, pack(f, "", sample[0]), directorySignature, 24, uint32(0xffffffff)))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := bounded(data)
		if err != nil {
			if fault.KindOf(err) == "" {
				t.Errorf("error without a kind: %v", err)
			}
			return
		}
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil || len(z.File) != len(got) {
			return // it is stricter, or takes another directory where there are two
		}
		for i, zf := range z.File {
			if zf.Name != got[i].Name {
				return
			}
			if zf.Mode().IsDir() {
				continue
			}
			r, err := zf.Open()
			if err != nil {
				continue
			}
			content, err := io.ReadAll(io.LimitReader(r, 1<<20))
			if err == nil && len(content) < 1<<20 {
				if diff := cmp.Diff(string(content), got[i].Content); diff != "" {
					t.Errorf("archive/zip (-), here (+):\n%s", diff)
				}
			}
		}
	})
}

// bounded is unpack for archives that are not trusted.
func bounded(data []byte) (list []entry, err error) {
	a, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	for m, err := range a.Members() {
		if err != nil {
			return nil, err
		}
		r, err := a.Open(m)
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(io.LimitReader(r, 1<<20))
		_ = r.Close()
		if err != nil {
			return nil, err
		}
		list = append(list, entry{string(m.Name), string(content), m.Method == Stored})
	}
	return list, nil
}
