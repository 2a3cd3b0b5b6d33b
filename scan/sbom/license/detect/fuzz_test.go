package detect

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stella-ops/stella/scan/sbom/license"
	"github.com/stella-ops/stella/scan/sbom/license/detect/internal/template"
)

// FuzzFind holds what must be true of any text.
func FuzzFind(f *testing.F) {
	for _, s := range []string{mit, bsdHead + bsdThird + bsdTail, apacheNotice, gplNotice, "SPDX-License-Identifier: (MIT OR ISC)", "under the terms of either the MIT or (the) BSD 3-Clause license)",
		"License: MIT\n", "Copyright (c) x\n(a) 1.2. " + bsdTail, "\xff© &", "The Apache License\n2.0"} {
		f.Add([]byte(s), uint16(len(s)/2))
	}
	f.Fuzz(func(t *testing.T, text []byte, cut uint16) {
		if n := int(cut); n < len(text) { // a licence within it
			text = slices.Concat(text[:n], []byte("\n"+mit+"\n"), text[n:])
		}
		matches, err := Find(text)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := Find(slices.Clone(text)); !reflect.DeepEqual(matches, again) {
			t.Fatal("two readings differ")
		}
		end := 0
		for i, m := range matches {
			if m.Start < 0 || m.End <= m.Start || m.End > len(text) || m.Score < MinScore || m.Score > 1000 {
				t.Fatalf("%+v in %d bytes", m, len(text))
			}
			if i > 0 && m.Start < matches[i-1].Start {
				t.Fatal("not in order")
			}
			if err := license.Parse(m.Expression); err != nil && !m.Exception {
				t.Fatal(err)
			}
			if m.Kind == Text || m.Kind == Notice {
				if m.Start < end {
					t.Fatalf("%+v overlaps", m)
				}
				end = m.End
			}
		}
		for _, e := range Expressions(matches) {
			if err := license.Parse(e); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzDecode reads damaged templates: an error, or templates that are whole.
func FuzzDecode(f *testing.F) {
	small, err := template.Encode([]template.Template{
		{ID: "A", Also: []string{"B"}, Words: []uint32{1, 2, 3, 4, 5, 1, 2, 3, 4, 5}, Gaps: make([]uint16, 11), Skip: []int32{0, 3, 3, 0, 0, 8, 7, 8, 0, 0}},
		{ID: "C", Kind: template.Header, Words: []uint32{1, 2, 3, 4, 5, 9}, Gaps: []uint16{0, 0, 7, 0, 0, 0, 1}, Skip: make([]int32, 6)},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(small)
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := template.Decode(data)
		if err != nil {
			return
		}
		for _, tm := range list {
			if len(tm.Gaps) != len(tm.Words)+1 || len(tm.Skip) != len(tm.Words) {
				t.Fatalf("%s: %d words, %d gaps, %d skips", tm.ID, len(tm.Words), len(tm.Gaps), len(tm.Skip))
			}
		}
	})
}
