package java

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stella-ops/stella/internal/zipstream"
	"github.com/stella-ops/stella/scan/analyzer"
)

func jars() (list []string) {
	seen := map[string]bool{}
	for _, root := range filepath.SplitList(os.Getenv("PROBE")) {
		filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && isArchive(d.Name()) {
				b, _ := os.ReadFile(p)
				k := d.Name() + fmt.Sprint(len(b))
				if !seen[k] {
					seen[k] = true
					list = append(list, p)
				}
			}
			return nil
		})
	}
	return
}

// masked: identity with poms hidden
func TestProbeMasked(t *testing.T) {
	var right, wrongG, wrongA, wrongV, none, total int
	for _, p := range jars() {
		b, _ := os.ReadFile(p)
		z, err := zipstream.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			continue
		}
		w := &walk{ctx: context.Background(), file: analyzer.NewMemoryFile(p, b), keys: map[string]int{}}
		at := place{r: bytes.NewReader(b), size: int64(len(b)), key: "."}
		c, err := w.collect(at, z)
		if err != nil {
			continue
		}
		e := evidence{file: parseFileName(p), has: func(dir string) bool { return hasFolder(z, dir) }}
		if c.manifest != nil {
			e.manifest = w.readManifest(at, z, c.manifest)
		}
		for i := range c.descriptors {
			w.readDescriptor(at, z, &c.descriptors[i])
			e.poms = append(e.poms, c.descriptors[i].coordinates)
		}
		id := e.identify()
		if id.own < 0 {
			if len(e.poms) > 0 {
				fmt.Println("NOOWN", p, id.name(), id.version, len(e.poms), e.poms[0])
			}
			continue
		}
		total++
		e.poms = nil
		m := e.identify()
		switch {
		case m.group == "":
			none++
			fmt.Printf("NONE %s | %s:%s | bsn %s vid %s title %s amn %s\n", filepath.Base(p), id.name(), id.version, e.manifest.symbolicName, e.manifest.vendorID, e.manifest.title, e.manifest.moduleName)
		case m.group != id.group:
			wrongG++
			fmt.Printf("WRONGG %s | %s got %s | bsn %s vid %s\n", filepath.Base(p), id.name(), m.name(), e.manifest.symbolicName, e.manifest.vendorID)
		case m.artifact != id.artifact:
			wrongA++
			fmt.Printf("WRONGA %s | %s got %s\n", filepath.Base(p), id.name(), m.name())
		default:
			right++
		}
		if m.version != id.version {
			wrongV++
			fmt.Printf("VERSION %s | %s got %q\n", filepath.Base(p), id.version, m.version)
		}
	}
	fmt.Println("total", total, "right", right, "wrongG", wrongG, "wrongA", wrongA, "none", none, "wrongV", wrongV)
}

// maven-repo: links by coordinates
func TestProbeRepo(t *testing.T) {
	var right, wrong, nopurl, total, ver int
	for _, root := range filepath.SplitList(os.Getenv("REPO")) {
		repo := filepath.Join(root, "usr/share/maven-repo")
		truth := map[string][]string{}
		filepath.WalkDir(repo, func(p string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(p, ".jar") {
				return nil
			}
			rel, _ := filepath.Rel(repo, p)
			parts := strings.Split(rel, "/")
			n := len(parts)
			if n < 4 || parts[n-2] == "debian" {
				return nil
			}
			target := p
			for range 8 {
				if l, err := os.Readlink(target); err == nil {
					if !filepath.IsAbs(l) {
						l = filepath.Join(filepath.Dir(target), l)
					} else {
						l = root + l
					}
					target = l
				}
			}
			truth[target] = append(truth[target], strings.Join(parts[:n-3], ".")+":"+parts[n-3]+":"+parts[n-2])
			return nil
		})
		for p, want := range truth {
			b, err := os.ReadFile(p)
			if err != nil {
				continue
			}
			total++
			facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(p, b))
			if err != nil {
				fmt.Println("ERR", p, err)
			}
			if len(facts) == 0 {
				fmt.Println("NOTHING", p)
				continue
			}
			got := facts[0].Package
			okga, okv := false, false
			for _, w := range want {
				okga = okga || strings.HasPrefix(w, got.Name+":")
				okv = okv || strings.HasSuffix(w, ":"+got.Version)
			}
			switch {
			case got.PURL.IsZero():
				nopurl++
				fmt.Println("NOPURL", filepath.Base(p), want, "got", got.Name, got.Version)
			case !okga:
				wrong++
				fmt.Println("WRONG", filepath.Base(p), want, "got", got.Name, got.Version, got.Properties)
			default:
				right++
			}
			if !okv {
				ver++
				fmt.Println("VERSION", filepath.Base(p), want, "got", got.Version)
			}
		}
	}
	fmt.Println("repo total", total, "right", right, "wrong", wrong, "nopurl", nopurl, "wrong version", ver)
}

func TestProbeTime(t *testing.T) {
	list := jars()
	var took time.Duration
	var size int64
	n := 0
	for _, p := range list {
		b, _ := os.ReadFile(p)
		size += int64(len(b))
		t0 := time.Now()
		facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(p, b))
		took += time.Since(t0)
		n += len(facts)
		if err != nil {
			fmt.Println("ERR", err)
		}
	}
	fmt.Println(len(list), "jars", size>>20, "MiB", n, "facts", took)
}
