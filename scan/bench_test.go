package scan_test

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/analyzer/all"
	"github.com/stella-ops/stella/scan/image"
)

// BenchmarkImage scans real images and, in the same run, does what any scan must
// at least do with the same bytes: read, SHA-256 of what is stored and of what
// is not compressed, gunzip, and a walk over every tar header, on one thread.
// It reports both in processor seconds and wall seconds, and their ratio.
//
// STELLA_IMAGES names a folder with OCI layouts in oci/ and docker-archives in
// tar/ (see docs/benchmarks.md).
func BenchmarkImage(b *testing.B) {
	dir := os.Getenv("STELLA_IMAGES")
	if dir == "" {
		b.Skip("STELLA_IMAGES names no folder of images: see docs/benchmarks.md")
	}
	layouts, err := filepath.Glob(filepath.Join(dir, "oci", "*"))
	if err != nil {
		b.Fatal(err)
	}
	for _, layout := range layouts {
		name := filepath.Base(layout)
		b.Run("oci/"+name, func(b *testing.B) { benchmarkImage(b, "oci:"+layout) })
		b.Run("tar/"+name, func(b *testing.B) {
			benchmarkImage(b, "docker-archive:"+filepath.Join(dir, "tar", name+".tar"))
		})
	}
}

func benchmarkImage(b *testing.B, ref string) {
	ctx := context.Background()
	s := &scan.Scanner{Analyzers: all.Set()}
	var cpu, wall, floorCPU, floorWall time.Duration
	for b.Loop() {
		img, err := image.Open(ctx, ref, nil)
		if err != nil {
			b.Fatal(err)
		}
		c, w := spent(func() {
			if _, err := s.Scan(ctx, img); err != nil {
				b.Fatal(err)
			}
		})
		cpu, wall = cpu+c, wall+w
		c, w = spent(func() { floor(b, img) })
		floorCPU, floorWall = floorCPU+c, floorWall+w
		if err := img.Close(); err != nil {
			b.Fatal(err)
		}
	}
	n := float64(b.N)
	b.ReportMetric(cpu.Seconds()/n, "cpu-s/op")
	b.ReportMetric(wall.Seconds()/n, "wall-s/op")
	b.ReportMetric(floorCPU.Seconds()/n, "floor-cpu-s/op")
	b.ReportMetric(cpu.Seconds()/floorCPU.Seconds(), "cpu/floor")
	b.ReportMetric(wall.Seconds()/floorWall.Seconds(), "wall/floor")
	b.ReportMetric(0, "ns/op") // it counts the floor too
}

// spent runs f and returns the processor and the wall time it took.
func spent(f func()) (cpu, wall time.Duration) {
	before, start := rusage(), time.Now()
	f()
	return rusage() - before, time.Since(start)
}

func rusage() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// floor is the least that any scan must do.
func floor(b *testing.B, img *scan.Image) {
	for _, l := range img.Layers {
		rc, err := l.Open(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		var r io.Reader = bufio.NewReaderSize(rc, 256<<10)
		if strings.HasSuffix(l.Descriptor.MediaType, "gzip") {
			stored := bufio.NewReaderSize(io.TeeReader(rc, sha256.New()), 256<<10)
			if r, err = gzip.NewReader(stored); err != nil {
				b.Fatal(err)
			}
		}
		plain := bufio.NewReaderSize(io.TeeReader(r, sha256.New()), 256<<10)
		t := tar.NewReader(plain)
		for err == nil {
			_, err = t.Next()
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, plain); err != nil {
			b.Fatal(err)
		}
		if err := rc.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
