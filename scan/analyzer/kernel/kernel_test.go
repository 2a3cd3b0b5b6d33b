package kernel_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/kernel"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, kernel.Analyzer{}) }

const banner = "6.1.0-18-amd64 (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)"

// x86 makes a boot image whose header names a version.
func x86(version string) []byte {
	b := make([]byte, 0x4000)
	copy(b, "MZ")
	copy(b[0x202:], "HdrS")
	binary.LittleEndian.PutUint16(b[0x206:], 0x20f)
	binary.LittleEndian.PutUint16(b[0x20e:], 0x3000)
	b[0x236] = 0x3f
	copy(b[0x3200:], version+"\x00")
	return b
}

// plain makes what an image of another machine holds: a format, then the banner.
func plain() []byte {
	return []byte(strings.Repeat("\x00code", 40_000) + "%s version %s\x00Linux version %s\x00Linux version 5.15.120-linuxkit (root@build) (gcc 12) #1 SMP\n\x00" + strings.Repeat("more", 20_000))
}

func arm64(payload []byte) []byte {
	b := append(make([]byte, 64), payload...)
	copy(b, "MZ")
	copy(b[56:], "ARM\x64")
	return b
}

func gz(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func zst(data []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(data, nil)
}

// zboot makes an EFI image that holds a compressed one.
func zboot(how string, payload []byte) []byte {
	b := make([]byte, 0x200)
	copy(b, "MZ\x00\x00zimg")
	binary.LittleEndian.PutUint32(b[8:], 0x200)
	binary.LittleEndian.PutUint32(b[12:], uint32(len(payload)))
	copy(b[24:], how)
	binary.LittleEndian.PutUint32(b[0x3c:], 0x40)
	copy(b[0x40:], "PE\x00\x00\x64\xaa")
	return append(b, payload...)
}

// module makes an object file of 64 bits whose second section is .modinfo.
func module(entries ...string) []byte {
	info := strings.Join(entries, "\x00") + "\x00"
	const names = "\x00.modinfo\x00.shstrtab\x00"
	le := binary.LittleEndian
	b := make([]byte, 64)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 1)  // ET_REL
	le.PutUint16(b[18:], 62) // EM_X86_64
	le.PutUint32(b[20:], 1)
	b = append(append(b, info...), names...)
	le.PutUint64(b[40:], uint64(len(b)))
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[58:], 64)
	le.PutUint16(b[60:], 3)
	le.PutUint16(b[62:], 2)
	section := func(name, kind uint32, off, size int) {
		s := make([]byte, 64)
		le.PutUint32(s, name)
		le.PutUint32(s[4:], kind)
		le.PutUint64(s[24:], uint64(off))
		le.PutUint64(s[32:], uint64(size))
		le.PutUint64(s[48:], 1)
		b = append(b, s...)
	}
	section(0, 0, 0, 0)
	section(1, 1, 64, len(info))
	section(10, 3, 64+len(info), len(names))
	return b
}

// TestKernels: images of all kinds, alone.
func TestKernels(t *testing.T) {
	self := append(make([]byte, 0x24), "\x18\x28\x6f\x01rest"...)
	for _, c := range []struct {
		path string
		data []byte
		want string // release, architecture; or the kind of the error; or "" for no kernel
	}{
		{"boot/vmlinuz-6.1.0-18-amd64", x86(banner), "6.1.0-18-amd64 amd64"},
		{"kernel", x86("5.10.121-linuxkit (root@x) #1 SMP"), "5.10.121-linuxkit amd64"},
		{"usr/lib/modules/6.9.0-rc3/vmlinuz", x86("6.9.0-rc3 (a@b)"), "6.9.0-rc3 amd64"},
		{"boot/vmlinuz", x86(""), "invalid input"},
		{"boot/vmlinuz", x86(strings.Repeat("6", 600)), "invalid input"},
		{"boot/vmlinuz", x86("6.1" + strings.Repeat("1", 100) + " x"), "invalid input"},
		{"boot/Image", arm64(plain()), "5.15.120-linuxkit arm64"},
		{"boot/vmlinuz-5.15.120", gz(arm64(plain())), "5.15.120-linuxkit "},
		{"boot/vmlinuz-x", zboot("gzip", gz(plain())), "5.15.120-linuxkit arm64"},
		{"boot/vmlinuz-x", zboot("zstd", zst(plain())), "5.15.120-linuxkit arm64"},
		{"boot/vmlinuz-x", zboot("lzma", plain()), "unsupported"},
		{"boot/vmlinuz-6.6.1", zboot("lzma", plain()), "6.6.1 arm64"},
		{"usr/lib/modules/6.6.1/vmlinuz", self, "6.6.1 arm"},
		{"boot/zImage", self, "unsupported"},
		{"boot/vmlinux-5.15.120", append([]byte("\x7fELF"), plain()...), "5.15.120-linuxkit "},
		{"boot/vmlinux", []byte("\x7fELF and no banner: Linux version X"), ""},
		{"srv/kernel", []byte("#!/bin/sh\n"), ""},
		{"boot/vmlinuz", gz(plain())[:40], "invalid input"},
		{"boot/vmlinuz", nil, ""},
	} {
		facts, err := kernel.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(c.path, c.data))
		got := ""
		switch {
		case err != nil:
			got = string(fault.KindOf(err))
		case len(facts) > 0:
			got = facts[0].Key + " " + facts[0].Package.Arch
		}
		if got != c.want {
			t.Errorf("%s: %q (%v), want %q", c.path, got, err, c.want)
		}
	}
}

// TestModules: what came with a kernel tells of it, the rest are packages that need it.
func TestModules(t *testing.T) {
	const dir = "lib/modules/6.1.0-18-amd64/"
	own := module("license=GPL", "intree=Y", "name=ext4", "vermagic=6.1.0-18-amd64 SMP preempt mod_unload modversions ")
	zfs := module("version=2.1.11-1", "license=CDDL", "author=OpenZFS", "description=ZFS", "srcversion=AB12", "depends=spl", "name=zfs", "vermagic=6.1.0-18-amd64 SMP")
	files := map[string][]byte{
		dir + "kernel/fs/ext4/ext4.ko": own, dir + "kernel/fs/xfs.ko.gz": gz(own), dir + "kernel/fs/ntfs.ko.xz": []byte("\xfd7zXZ\x00"),
		dir + "updates/dkms/zfs.ko.zst": zst(zfs), dir + "updates/dkms/spl.ko.xz": []byte("\xfd7zXZ\x00"),
		dir + "kernel/none.ko": []byte("text"), dir + "kernel/bare.ko": module("license=GPL"),
		"srv/zfs.ko": zfs, "boot/vmlinuz-6.1.0-18-amd64": x86(banner),
		"lib/modules/5.4.0/extra/my-driver.ko": module("license=Proprietary", "vermagic=5.4.0 SMP"),
	}
	r := analyzertest.Scan(kernel.Analyzer{}, files)
	want := []string{"linux-kernel@5.4.0", "linux-kernel@6.1.0-18-amd64", "my_driver@", "zfs@2.1.11-1"}
	if diff := cmp.Diff(want, r.Names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(r.Errors) != 0 || len(r.Gaps) != 1 || r.Gaps[0].Where != dir+"updates/dkms/spl.ko.xz" {
		t.Errorf("%v %v", r.Errors, r.Gaps)
	}
	text := r.String()
	for _, line := range []string{
		"boot/vmlinuz-6.1.0-18-amd64: 6.1.0-18-amd64\n", "kernel:modules: 4\n", "needs: 6.1.0-18-amd64\n", "kernel:srcversion: AB12\n", "licence: CDDL\n",
		"cpe: cpe:2.3:o:linux:linux_kernel:6.1.0:*:*:*:*:*:*:*\n", "purl: pkg:generic/linux-kernel@6.1.0-18-amd64\n", "lib/modules/5.4.0/extra/my-driver.ko: 5.4.0\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}

func TestBadModules(t *testing.T) {
	whole := module("vermagic=6.1.0 SMP")
	far := slices.Clone(whole)
	binary.LittleEndian.PutUint64(far[len(far)-128+24:], 1<<40)
	many := slices.Clone(whole)
	binary.LittleEndian.PutUint64(many[len(many)-128+32:], 1<<40)
	for name, c := range map[string]struct {
		path string
		data []byte
		want error
	}{
		"cut off": {"a.ko", whole[:len(whole)-64], fault.Invalid}, "a section far away": {"a.ko", far, fault.Invalid}, "a large section": {"a.ko", many, fault.Limit},
		"no gzip": {"a.ko.gz", whole, fault.Invalid}, "cut off gzip": {"a.ko.gz", gz(whole)[:40], fault.Invalid}, "no zstd": {"a.ko.zst", whole, fault.Invalid},
		"a long release": {"a.ko", module("vermagic=" + strings.Repeat("6", 70)), fault.Invalid},
	} {
		_, err := kernel.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("lib/modules/x/"+c.path, c.data))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestCPE(t *testing.T) {
	for release, want := range map[string]string{
		"6.9.0-rc3-amd64": "6.9:rc3", "5.10.121-linuxkit": "5.10.121:*", "6.1": "6.1:*", "next-20240101": "", "6.1.76+": "6.1.76:*",
	} {
		r := analyzertest.Scan(kernel.Analyzer{}, map[string][]byte{"boot/vmlinuz": x86(release + " x")})
		got := ""
		if c := r.Packages[0].Package.CPEs; len(c) > 0 {
			got = strings.TrimSuffix(strings.TrimPrefix(c[0], "cpe:2.3:o:linux:linux_kernel:"), ":*:*:*:*:*:*")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", release, got, want)
		}
	}
}

func FuzzImage(f *testing.F) {
	for _, seed := range [][]byte{x86(banner)[:0x3300], arm64([]byte("Linux version 5.1 x\n")), gz([]byte("Linux version 5.1 x\n")), zboot("zstd", zst([]byte("Linux version 5.1\x00")))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) { analyzertest.Check(t, kernel.Analyzer{}, "boot/vmlinuz", data) })
}

func FuzzModule(f *testing.F) {
	f.Add(module("version=2", "name=zfs", "vermagic=6.1.0 SMP", "license=CDDL", "author=x", "srcversion=1"))
	f.Add(module("intree=Y", "vermagic=6.1.0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		analyzertest.Check(t, kernel.Analyzer{}, "lib/modules/6.1.0/extra/a.ko", data)
	})
}

func FuzzPacked(f *testing.F) {
	f.Add(zst(module("vermagic=6.1.0 SMP")))
	f.Fuzz(func(t *testing.T, data []byte) {
		analyzertest.Check(t, kernel.Analyzer{}, "lib/modules/6.1.0/extra/a.ko.zst", data)
	})
}

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, kernel.Analyzer{},
		analyzertest.Growth{Name: "entries", Path: "lib/modules/6/a.ko", Data: func(n int) string {
			return string(module("vermagic=6 SMP", strings.ReplaceAll(analyzertest.Lines(n, "p%d=x\n"), "\n", "\x00")))
		}},
		analyzertest.Growth{Name: "formats of banners", Path: "boot/vmlinux", Data: func(n int) string {
			return "\x7fELF" + analyzertest.Lines(n, "Linux version %%s %d")
		}},
	)
}

func ExampleAnalyzer() {
	r := analyzertest.Scan(kernel.Analyzer{}, map[string][]byte{"boot/vmlinuz-5.10.121": x86("5.10.121-linuxkit (root@buildkit) #1 SMP")})
	for _, p := range r.Packages {
		fmt.Println(p.Package.PURL, p.Package.CPEs)
	}
	// Output: pkg:generic/linux-kernel@5.10.121-linuxkit [cpe:2.3:o:linux:linux_kernel:5.10.121:*:*:*:*:*:*:*]
}
