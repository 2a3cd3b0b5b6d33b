package java

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/zipstream"
	"github.com/stella-ops/stella/scan/analyzer"
)

func TestProbeBSN(t *testing.T) {
	cnt := map[string]int{}
	ex := map[string][]string{}
	seen := map[string]bool{}
	for _, p := range jars() {
		b, _ := os.ReadFile(p)
		z, err := zipstream.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			continue
		}
		w := &walk{ctx: context.Background(), file: analyzer.NewMemoryFile(p, b), keys: map[string]int{}}
		at := place{r: bytes.NewReader(b), size: int64(len(b)), key: "."}
		c, _ := w.collect(at, z)
		e := evidence{file: parseFileName(p), has: func(dir string) bool { return hasFolder(z, dir) }}
		if c.manifest != nil {
			e.manifest = w.readManifest(at, z, c.manifest)
		}
		for i := range c.descriptors {
			w.readDescriptor(at, z, &c.descriptors[i])
			e.poms = append(e.poms, c.descriptors[i].coordinates)
		}
		id := e.identify()
		if id.own < 0 || seen[id.name()] {
			continue
		}
		seen[id.name()] = true
		note := func(k string) { cnt[k]++; ex[k] = append(ex[k], id.name()+" bsn="+e.manifest.symbolicName+" vid="+e.manifest.vendorID) }
		bsn, g, a := e.manifest.symbolicName, id.group, id.artifact
		single := ""
		if !strings.ContainsAny(a, "-.") {
			single = " single"
		}
		switch {
		case bsn == "":
			note("nobsn")
		case bsn == g+"."+a:
			note("g.a" + single)
		case bsn == g:
			note("bsn=g" + single)
		case strings.HasSuffix(bsn, "."+a):
			note("SUFFIX WRONG" + single)
		case symbolicGroup(bsn, a) == g:
			note("rule3 right")
		case symbolicGroup(bsn, a) != "":
			note("RULE3 WRONG")
		case bsn == a:
			note("bsn=a")
		default:
			note("other")
		}
		vid := e.manifest.vendorID
		switch {
		case vid == "":
		case vid == g:
			if e.has(folderOf(g)) { note("vid right with folder") } else { note("vid right no folder") }
		default:
			if e.has(folderOf(vid)) { note("VID WRONG with folder") } else { note("VID WRONG no folder") }
		}
	}
	for k, v := range cnt {
		fmt.Println("==", k, v)
		if strings.Contains(k, "WRONG") || strings.Contains(k, "vid") || strings.Contains(k, "bsn=g") || strings.Contains(k, "single")|| strings.Contains(k, "rule3") {
			for i, s := range ex[k] {
				if i < 25 {
					fmt.Println("     ", s)
				}
			}
		}
	}
}
