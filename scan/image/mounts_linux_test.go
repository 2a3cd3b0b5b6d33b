package image

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseMounts(t *testing.T) {
	table := `22 27 0:21 / /proc rw,relatime - proc proc rw
36 35 98:0 /mnt1 /mnt\0402/a\134b rw,noatime master:1 - ext3 /dev/root rw,errors=continue
1 2 259:1048577 / / rw - ext4 /dev/root rw
short line
1 2 x:y / /bad rw - tmpfs tmpfs rw
1 2 0:1 / /nodash rw
`
	got, err := parseMounts(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	want := []mount{{"/proc", 21, "proc"}, {`/mnt 2/a\b`, 98 << 8, "ext3"}, {"/", 259<<8 | 1 | 0x100000<<12, "ext4"}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(mount{})); d != "" {
		t.Error(d)
	}
	if _, err := parseMounts(strings.NewReader(strings.Repeat("x", 2<<20))); err == nil {
		t.Error("a line without end was accepted")
	}
}

func FuzzMounts(f *testing.F) {
	f.Add("22 27 0:21 / /proc rw,relatime - proc proc rw\n")
	f.Add(`36 35 98:0 /mnt1 /mnt\0402 rw master:1 - ext3 /dev/root rw`)
	f.Fuzz(func(t *testing.T, s string) {
		mounts, err := parseMounts(strings.NewReader(s))
		if err != nil {
			return
		}
		for _, skip := range outermost("/", 1, mounts) {
			if skip == "" || strings.HasPrefix(skip, "/") {
				t.Fatalf("skip %q", skip)
			}
		}
	})
}
