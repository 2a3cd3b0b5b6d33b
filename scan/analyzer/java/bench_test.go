package java

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer"
)

// BenchmarkArchive reads a jar of 1,000 classes, an application with 50 such
// jars stored in it, and the same with them compressed. STELLA_ARCHIVE names a
// real one.
func BenchmarkArchive(b *testing.B) {
	members := []member{pom("org.x:lib:1.0"), {"META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n"}, {"META-INF/maven/org.x/lib/pom.xml", samplePOM}}
	for i := range 1000 {
		members = append(members, member{fmt.Sprintf("org/example/module/package%d/Class%d.class", i%20, i), strings.Repeat(fmt.Sprint(i), 200)})
	}
	lib := pack(b, members...)
	unknown := pack(b, members[3:]...)
	var stored, deflated []member
	for i := range 50 {
		stored = append(stored, member{fmt.Sprintf("BOOT-INF/lib/lib%d-1.0.jar=", i), lib})
		deflated = append(deflated, member{fmt.Sprintf("BOOT-INF/lib/lib%d-1.0.jar", i), lib})
	}
	files := map[string]string{"jar": lib, "jar, unknown": unknown, "50 stored": pack(b, stored...), "50 deflated": pack(b, deflated...)}
	if name := os.Getenv("STELLA_ARCHIVE"); name != "" {
		data, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		files["real"] = string(data)
	}
	for name, data := range files {
		for _, a := range []Analyzer{{}, {Digests: true}} {
			b.Run(fmt.Sprintf("%s/digests=%v", name, a.Digests), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				f := analyzer.NewMemoryFile("app-1.0.jar", []byte(data))
				for b.Loop() {
					f.Budget = analyzer.NewBudget(analyzer.Limits{})
					if facts, err := a.Extract(context.Background(), f); err != nil || len(facts) == 0 {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkProject reads a pom.xml, beside the tokens of encoding/xml.
func BenchmarkProject(b *testing.B) {
	data := []byte(samplePOM)
	for _, full := range []bool{true, false} {
		b.Run(fmt.Sprintf("full=%v", full), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseProject(data, full); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("encoding-xml", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			d := xml.NewDecoder(strings.NewReader(samplePOM))
			for _, err := d.RawToken(); err == nil; _, err = d.RawToken() {
			}
		}
	})
}
