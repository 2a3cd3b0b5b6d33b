//go:build unix

package detect

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCost: twice the text costs about twice the time. Sixteen times may cost
// eighty times as much; a square would be 256.
func TestCost(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	library()
	for name, part := range map[string]string{
		"licence":           mit,
		"beginnings":        bsdHead,
		"ends":              bsdTail,
		"one phrase":        "permission is hereby granted free of charge ",
		"two phrases":       "permission is hereby granted free of charge in no event shall the ",
		"one word":          "the ",
		"one letter":        "a ",
		"no words":          "- ",
		"no spaces":         "a",
		"names":             "under the MIT or the ",
		"names not known":   "under the under the terms of the x license\n",
		"lines":             "license\n",
		"tags":              "SPDX-License-Identifier: MIT OR ",
		"tag lines":         "SPDX-License-Identifier: MIT\n",
		"copyright":         "Copyright (c) \n",
		"parentheses":       "under the ((((( MIT\n",
		"letters beyond":    "é",
		"other GPL notices": strings.Replace(gplNotice, "version 2", "version 9", 1),
	} {
		t.Run(name, func(t *testing.T) {
			cost := func(n int) time.Duration {
				text := []byte(strings.Repeat(part, n/len(part)))
				best := time.Hour
				for range 3 {
					start := cpu()
					if _, err := Find(text); err != nil {
						t.Fatal(err)
					}
					best = min(best, time.Duration(cpu()-start))
				}
				return best
			}
			const n = MaxBytes / 16
			small, large := cost(n), cost(16*n)
			t.Logf("%v, %v", small, large)
			if large > 80*small && large > 50*time.Millisecond {
				t.Errorf("%v for one part, %v for sixteen", small, large)
			}
			if large > 20*time.Second {
				t.Errorf("%v for %d bytes", large, 16*n)
			}
		})
	}
}

// cpu is the processor time that this process has used, in nanoseconds.
func cpu() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkFind reads what most licence files are.
func BenchmarkFind(b *testing.B) {
	for name, text := range map[string]string{"text": mit, "two texts": bsdHead + bsdThird + bsdTail + mit, "other words": strings.Repeat("Each line of this page says something else. ", 40)} {
		b.Run(name, func(b *testing.B) {
			library()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := Find([]byte(text)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLibrary is what the first text costs.
func BenchmarkLibrary(b *testing.B) {
	for b.Loop() {
		newLib(library().templates)
	}
}

// BenchmarkList reads the texts of the SPDX list's own tests.
func BenchmarkList(b *testing.B) {
	var texts [][]byte
	n := int64(0)
	for _, name := range listTexts(b) {
		text, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		texts = append(texts, text)
		n += int64(len(text))
	}
	library()
	b.SetBytes(n)
	for b.Loop() {
		for _, text := range texts {
			if _, err := Find(text); err != nil {
				b.Fatal(err)
			}
		}
	}
}
