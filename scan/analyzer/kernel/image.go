package kernel

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/inflate"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

// Limits of one image. Real ones stay far below.
const (
	headBytes  = 64 << 10  // the setup code of an x86 image is at most 32 KiB
	maxImage   = 512 << 20 // bytes that are searched
	maxRelease = 64        // __NEW_UTS_LEN of the kernel
	maxBanner  = 512
	maxWindow  = 64 << 20 // memory of a zstd frame
)

// errNoKernel means that a file is called like a kernel and is none.
var errNoKernel = errors.New("no kernel")

// readImage returns a part for the kernel in a boot image.
func readImage(ctx context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	head := make([]byte, min(headBytes, f.Size))
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, err
	}
	banner, arch, err := describe(ctx, f, head)
	switch {
	case errors.Is(err, errNoKernel):
		return nil, nil
	case errors.Is(err, fault.Unsupported): // it packs itself: its name may do
		banner = named(f.Path)
		if banner == "" {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	banner = strings.ToValidUTF8(strings.Join(strings.Fields(banner), " "), "\uFFFD")
	release, _, _ := strings.Cut(banner, " ")
	if release == "" || len(release) > maxRelease {
		return nil, fmt.Errorf("the release %.80q: %w", release, fault.Invalid)
	}
	return []analyzer.Fact{{Kind: analyzer.KindPart, Scope: scope, Key: release, Package: &sbom.Package{Name: kernelName, Version: release, Arch: arch,
		Properties: []sbom.Property{{Name: "kernel:evidence", Value: banner}}}}}, nil
}

// named returns the release in an image's name ("vmlinuz-6.1.0-18-arm64") or in the folder
// of its modules, or "".
func named(file string) string {
	base, dir := path.Base(file), path.Dir(file)
	if _, release, ok := strings.Cut(base, "-"); ok && release != "" && '0' <= release[0] && release[0] <= '9' {
		return release
	}
	if strings.HasSuffix("/"+path.Dir(dir), "/lib/modules") {
		return path.Base(dir)
	}
	return ""
}

// describe returns the release of a kernel, with what follows it, and its architecture.
// Sources: Documentation/arch/x86/boot.rst, arch/arm64/booting.rst, and
// drivers/firmware/efi/libstub/zboot-header.S of the kernel.
func describe(ctx context.Context, f *analyzer.File, head []byte) (banner, arch string, err error) {
	le := binary.LittleEndian
	whole := io.MultiReader(bytes.NewReader(head), f)
	switch {
	case at(head, 0x202, "HdrS"):
		banner, err = x86Banner(head)
		arch = "i386"
		if len(head) > 0x237 && le.Uint16(head[0x206:]) >= 0x20c && head[0x236]&1 != 0 { // XLF_KERNEL_64
			arch = "amd64"
		}
		return banner, arch, err
	case at(head, 4, "zimg") && len(head) >= 64:
		arch = peArch(head)
		skip, size := int64(le.Uint32(head[8:])), int64(le.Uint32(head[12:]))
		if _, err := io.CopyN(io.Discard, whole, skip); err != nil {
			return "", arch, fmt.Errorf("the payload is behind the end: %w", fault.Invalid)
		}
		how, _, _ := strings.Cut(string(head[24:32]), "\x00")
		banner, err = unpack(ctx, f, io.LimitReader(whole, size), how)
	case at(head, 56, "ARM\x64"):
		banner, err = search(ctx, f, whole, false)
		arch = "arm64"
	case at(head, 0, "\x7fELF"):
		banner, err = search(ctx, f, whole, false)
	case at(head, 0, "\x1f\x8b\x08"):
		banner, err = unpack(ctx, f, whole, "gzip")
	case at(head, 0, "\x28\xb5\x2f\xfd"):
		banner, err = unpack(ctx, f, whole, "zstd")
	case at(head, 0x24, "\x18\x28\x6f\x01"):
		return "", "arm", fmt.Errorf("an image that unpacks itself: %w", fault.Unsupported)
	default:
		return "", "", errNoKernel
	}
	return banner, arch, err
}

func at(data []byte, i int, text string) bool {
	return len(data) > i && bytes.HasPrefix(data[i:], []byte(text))
}

// peArch returns the architecture in a PE header, or "".
func peArch(head []byte) string {
	if off := uint64(binary.LittleEndian.Uint32(head[0x3c:])); off+6 <= uint64(len(head)) && string(head[off:off+4]) == "PE\x00\x00" {
		return map[uint16]string{0x8664: "amd64", 0xaa64: "arm64", 0x14c: "i386", 0x5064: "riscv64", 0x6264: "loong64"}[binary.LittleEndian.Uint16(head[off+4:])]
	}
	return ""
}

// x86Banner returns the text that the setup header of an x86 image points to.
func x86Banner(head []byte) (string, error) {
	off := int(binary.LittleEndian.Uint16(head[0x20e:])) + 0x200
	if off == 0x200 || off >= len(head) {
		return "", fmt.Errorf("the header names no version: %w", fault.Invalid)
	}
	text := head[off:min(off+maxBanner, len(head))]
	end := bytes.IndexByte(text, 0)
	if end < 0 {
		return "", fmt.Errorf("the version does not end: %w", fault.Invalid)
	}
	return string(text[:end]), nil
}

// unpack searches what a compressed image holds.
func unpack(ctx context.Context, f *analyzer.File, r io.Reader, how string) (string, error) {
	in, done, err := decompress(r, how)
	if err != nil {
		return "", err
	}
	defer done()
	return search(ctx, f, in, true)
}

// decompress returns a reader of what r holds, and what is to be called at the end.
func decompress(r io.Reader, how string) (io.Reader, func(), error) {
	switch how {
	case "gzip":
		z, err := inflate.NewGzip(r)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %v: %w", err, fault.Invalid)
		}
		return z, func() {}, nil
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %v: %w", err, fault.Invalid)
		}
		return z, z.Close, nil
	}
	return nil, nil, fmt.Errorf("an image packed by %.16q: %w", how, fault.Unsupported)
}

// marker begins the banner of every kernel; a number follows.
const marker = "Linux version "

// search returns what follows the first banner in r: the release and the rest. What was
// inflated is charged. Reading stops there.
func search(ctx context.Context, f *analyzer.File, r io.Reader, inflated bool) (string, error) {
	buf := make([]byte, 0, headBytes+maxBanner)
	for total := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := fill(r, buf[len(buf):cap(buf)])
		end := err == io.EOF
		if err != nil && !end {
			return "", cmp.Or(kindly(err), err)
		}
		buf, total = buf[:len(buf)+n], total+int64(n)
		if inflated {
			if err := f.Budget.Derive(f.Path, int64(n)); err != nil {
				return "", err
			}
		}
		if text, ok := bannerIn(buf, end); ok {
			return text, nil
		}
		switch {
		case end:
			return "", errNoKernel
		case total > maxImage:
			return "", &fault.LimitError{What: "bytes of a kernel", Where: f.Path, Max: maxImage, Seen: total}
		}
		buf = buf[:copy(buf, buf[len(buf)-maxBanner:])]
	}
}

// fill reads until p is full. Unlike io.ReadFull it tells the end (io.EOF) from what a
// decompressor says of bytes that are missing.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

// kindly gives an error of a decompressor, which has no kind, one.
func kindly(err error) error {
	if fault.KindOf(err) != "" {
		return nil
	}
	return fmt.Errorf("%v: %w", err, fault.Invalid)
}

// bannerIn returns the banner in data that begins far enough from its end, unless this is
// the end of all.
func bannerIn(data []byte, end bool) (string, bool) {
	for from := 0; ; {
		i := bytes.Index(data[from:], []byte(marker))
		if i < 0 {
			return "", false
		}
		from += i + len(marker)
		if !end && from > len(data)-maxBanner+len(marker) {
			return "", false // it is seen whole with what follows
		}
		text := data[from:min(from+maxBanner-len(marker), len(data))]
		if len(text) == 0 || text[0] < '0' || text[0] > '9' { // a format: "Linux version %s"
			continue
		}
		if stop := bytes.IndexAny(text, "\x00\n"); stop >= 0 {
			text = text[:stop]
		}
		return string(text), true
	}
}
