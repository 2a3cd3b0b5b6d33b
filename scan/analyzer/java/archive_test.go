package java

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/sbom"
)

func TestArchives(t *testing.T) {
	lib := pack(t, pom("org.x:lib:1.0"))
	plain := pack(t, member{"com/y/A.class", "x"})
	war := pack(t, pom("org.x:web:2.0"), member{"WEB-INF/lib/lib-1.0.jar", lib}, member{"WEB-INF/lib/plain-3.1.jar=", plain})
	for name, tt := range map[string]struct {
		path, data string
		want       []string
	}{
		"plain":           {"lib/plain-3.1.jar", plain, []string{".: plain 3.1 without URL"}},
		"library":         {"lib/lib-1.0.jar", lib, []string{".: org.x:lib 1.0"}},
		"upper case":      {"lib/LIB-1.0.JAR", lib, []string{".: org.x:lib 1.0"}},
		"script in front": {"app.jar", "#!/bin/sh\nexec java -jar $0\n" + lib, []string{".: org.x:lib 1.0"}},
		"web application in an enterprise one": {"app-1.0.ear", pack(t, member{"web.war=", war}, member{"readme.txt", "x"}), []string{
			".: app 1.0 without URL",
			"web.war: org.x:web 2.0 in .",
			"web.war!/WEB-INF/lib/lib-1.0.jar: org.x:lib 1.0 in web.war",
			"web.war!/WEB-INF/lib/plain-3.1.jar: plain 3.1 without URL in web.war",
		}},
		"shaded": {"tool-1.0.jar", pack(t, pom("org.x:a:1.0"), pom("org.x:tool:1.0"), pom("org.y:b:2.0"), member{"templates/pom.properties", "groupId=${g}\nartifactId=x\nversion=1\n"}), []string{
			".: org.x:tool 1.0",
			".#org.x:a:1.0: org.x:a 1.0 in .",
			".#org.y:b:2.0: org.y:b 2.0 in .",
		}},
		"shaded, unknown": {"tool-all-1.0.jar", pack(t, pom("org.x:a:1.0"), pom("org.y:b:2.0")), []string{
			".: tool-all 1.0 without URL",
			".#org.x:a:1.0: org.x:a 1.0 in .",
			".#org.y:b:2.0: org.y:b 2.0 in .",
		}},
		"same name twice": {"app-1.0.war", pack(t, member{"WEB-INF/lib/lib.jar", lib}, member{"WEB-INF/lib/lib.jar", plain}), []string{
			".: app 1.0 without URL",
			"WEB-INF/lib/lib.jar: org.x:lib 1.0 in .",
			"WEB-INF/lib/lib.jar/2: lib without URL in .",
		}},
		"descriptor twice": {"lib-1.0.jar", pack(t, pom("org.x:lib:1.0"), member{"META-INF/maven/org.x/lib/pom.properties", "groupId=org.x\nartifactId=lib\nversion=2.0\n"}), []string{
			".: org.x:lib 1.0",
			".#org.x:lib:2.0: org.x:lib 2.0 in .",
		}},
		"names that lead out": {"app-1.0.war", pack(t, member{"../../lib/lib-1.0.jar", lib}, member{`C:\lib\lib-1.0.jar`, lib}, member{"/lib/\x00\xff.jar", lib}), []string{
			".: app 1.0 without URL",
			"lib/lib-1.0.jar: org.x:lib 1.0 in .",
			"C:/lib/lib-1.0.jar: org.x:lib 1.0 in .",
			"lib/\uFFFD\uFFFD.jar: org.x:lib 1.0 in .",
		}},
		"pom.xml alone": {"lib-1.0.jar", pack(t, member{"META-INF/maven/org.x/lib/pom.xml", "<project><parent><groupId>org.x</groupId><version>1.0</version></parent><artifactId>lib</artifactId></project>"}), []string{
			".: org.x:lib 1.0",
		}},
		"descriptor without version": {"lib-1.0.jar", pack(t, member{"META-INF/maven/org.x/lib/pom.properties", "version=${v}\n"}), []string{
			".: org.x:lib 1.0",
		}},
		"empty":        {"empty-1.0.jar", pack(t), []string{".: empty 1.0 without URL"}},
		"other format": {"x.nar", "nix-archive-1 and so on", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, summary(extract(t, tt.path, tt.data))); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}

// TestPackage compares everything that is said about one archive.
func TestPackage(t *testing.T) {
	data := pack(t, pom("org.x:lib:1.0"),
		member{"META-INF/maven/org.x/lib/pom.xml", "<project><licenses><license><name>Apache License, Version 2.0</name></license><license><name>Own terms</name><url>http://x.org/l</url></license></licenses></project>"},
		member{"META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nBundle-Vendor: The X Proj\r\n ect\r\nBundle-License: MIT\r\n\r\nName: x\r\nBundle-Vendor: no\r\n"})
	got := extract(t, "a/lib-1.0.jar", data)[0]
	want := analyzer.Fact{Kind: analyzer.KindPackage, Key: ".", Package: coordinates{group: "org.x", artifact: "lib", version: "1.0"}.pkg()}
	want.Package.Supplier = "The X Project"
	want.Package.Licenses = []sbom.License{{Expression: "Apache-2.0"}, {Name: "Own terms", URL: "http://x.org/l"}}
	want.Package.Properties = []sbom.Property{{Name: "java:identified-by", Value: "pom.properties"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	if got := got.Package.PURL.String(); got != "pkg:maven/org.x/lib@1.0" {
		t.Errorf("package URL %s", got)
	}
}

func TestDigests(t *testing.T) {
	plain := pack(t, member{"com/y/A.class", "x"})
	data := pack(t, pom("org.x:web:2.0"), member{"WEB-INF/lib/plain-3.1.jar", plain})
	a := Analyzer{Digests: true}
	facts, err := a.Extract(context.Background(), analyzer.NewMemoryFile("web-2.0.war", []byte(data)))
	if err != nil || len(facts) != 2 {
		t.Fatal(facts, err)
	}
	sum := sha1.Sum([]byte(plain))
	if diff := cmp.Diff([]sbom.Hash{{Algorithm: "sha1", Value: hex.EncodeToString(sum[:])}}, facts[1].Package.Hashes); diff != "" || facts[0].Package.Hashes != nil {
		t.Errorf("hashes of the identified archive %v, of the other: %s", facts[0].Package.Hashes, diff)
	}
	if a.Info() == (Analyzer{}).Info() {
		t.Error("facts with and without digests have the same version")
	}
}

// nest puts data into n archives.
func nest(t *testing.T, n int, data string) string {
	for range n {
		data = pack(t, member{"x.jar", data})
	}
	return data
}

// sign changes what follows a signature in data.
func sign(t *testing.T, data string, signature uint32, off int, value any) string {
	t.Helper()
	b := []byte(data)
	i := bytes.LastIndex(b, binary.LittleEndian.AppendUint32(nil, signature))
	var w bytes.Buffer
	if err := binary.Write(&w, binary.LittleEndian, value); err != nil || i < 0 {
		t.Fatal(i, err)
	}
	copy(b[i+off:], w.Bytes())
	return string(b)
}

// TestBadArchives holds archives of which something cannot be read: each is an
// error that says where, and what could be read is there.
func TestBadArchives(t *testing.T) {
	const directory = 0x02014b50
	lib := pack(t, pom("org.x:lib:1.0"))
	withLib := pack(t, pom("org.x:web:2.0"), member{"lib/lib-1.0.jar", lib})
	huge := pack(t, member{"huge.jar", strings.Repeat("\x00", 2<<20)})
	for name, tt := range map[string]struct {
		data   string
		limits analyzer.Limits
		facts  int
		kind   fault.Kind
		says   string
	}{
		"no archive":          {"not a zip", analyzer.Limits{}, 0, fault.Invalid, "app.war"},
		"empty file":          {"", analyzer.Limits{}, 0, fault.Invalid, "not a zip archive"},
		"damaged inside":      {pack(t, pom("org.x:web:2.0"), member{"lib/a.jar", "broken"}, member{"lib/lib.jar", lib}), analyzer.Limits{}, 2, fault.Invalid, "app.war!/lib/a.jar"},
		"encrypted inside":    {sign(t, withLib, directory, 8, uint16(1)), analyzer.Limits{}, 1, fault.Unsupported, "encrypted"},
		"size that lies":      {sign(t, withLib, directory, 24, uint32(1<<30)), analyzer.Limits{}, 1, fault.Limit, "app.war!/lib/lib-1.0.jar"},
		"too deep":            {nest(t, 10, lib), analyzer.Limits{}, 9, fault.Limit, "archives within archives: 9 is over the limit of 8"},
		"too large to hold":   {huge, analyzer.Limits{FileBytes: 1 << 20}, 1, fault.Limit, "app.war!/huge.jar"},
		"too much at once":    {pack(t, member{"a.jar", pack(t, member{"b.jar", strings.Repeat("\x00", 2000)}, member{"x=", strings.Repeat("x", 2000)})}), analyzer.Limits{FileBytes: 3000}, 2, fault.Limit, "held at once"},
		"too many members":    {pack(t, member{"a", ""}, member{"b", ""}, member{"c", ""}), analyzer.Limits{ArchiveEntries: 2}, 0, fault.Limit, "archive members"},
		"too much inflated":   {huge, analyzer.Limits{ArchiveBytes: 1 << 20}, 1, fault.Limit, "inflated"},
		"manifest too long":   {pack(t, member{"META-INF/MANIFEST.MF", "Export-Package: " + strings.Repeat("x", 5<<20)}), analyzer.Limits{}, 1, fault.Limit, "main section"},
		"descriptor too long": {pack(t, member{"META-INF/maven/g/a/pom.properties", strings.Repeat("#", 100<<10)}), analyzer.Limits{}, 1, fault.Limit, "pom.properties"},
		"name too long":       {pack(t, pom("org.x:web:2.0"), member{strings.Repeat("n", 5000) + ".jar", lib}, member{strings.Repeat("n", 5000) + ".class", ""}), analyzer.Limits{}, 1, fault.Limit, "bytes of the name"},
		"pom.xml with a DTD":  {pack(t, pom("org.x:web:2.0"), member{"META-INF/maven/org.x/web/pom.xml", `<!DOCTYPE project [<!ENTITY a "b">]><project/>`}), analyzer.Limits{}, 1, fault.Invalid, "document type"},
	} {
		f := analyzer.NewFile("app.war", int64(len(tt.data)), 0, content{bytes.NewReader([]byte(tt.data))}, analyzer.NewBudget(tt.limits), nil)
		facts, err := Analyzer{}.Extract(context.Background(), f)
		if len(facts) != tt.facts || !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, error %v; want %d facts, the kind %q and %q", name, summary(facts), err, tt.facts, tt.kind, tt.says)
		}
	}
}

// TestOverlap gives two names to the same bytes of an archive: the archives in
// it are not read, the rest is.
func TestOverlap(t *testing.T) {
	data := pack(t, pom("org.x:web:2.0"), member{"a.jar", nest(t, 1, "")}, member{"b.jar", nest(t, 1, "")})
	i := strings.LastIndex(data, "PK\x01\x02")
	j := strings.LastIndex(data[:i], "PK\x01\x02")
	b := []byte(data)
	copy(b[i+42:i+46], b[j+42:j+46]) // the place of the local header
	facts, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("web-2.0.war", b))
	if len(facts) != 1 || !errors.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "overlap") {
		t.Errorf("%v, error %v", summary(facts), err)
	}
}

// TestManyProblems tells the first and counts the rest.
func TestManyProblems(t *testing.T) {
	var members []member
	for i := range 100 {
		members = append(members, member{fmt.Sprintf("%d.jar", i), "broken"})
	}
	_, err := Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app.war", []byte(pack(t, members...))))
	if err == nil || !strings.Contains(err.Error(), "84 more problems") || strings.Contains(err.Error(), "\n") || len(err.Error()) > 4000 {
		t.Errorf("error %v", err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Analyzer{}.Extract(ctx, analyzer.NewMemoryFile("app.war", []byte(pack(t, member{"a.jar", "broken"}))))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestNoRandomAccess passes on why the content cannot be read.
func TestNoRandomAccess(t *testing.T) {
	f := analyzer.NewFile("app.jar", 10, 0, noAccess{}, nil, nil)
	if _, err := (Analyzer{}).Extract(context.Background(), f); !errors.Is(err, fault.Limit) {
		t.Errorf("error %v", err)
	}
}

type content struct{ *bytes.Reader }

func (c content) ReaderAt() (io.ReaderAt, error) { return c.Reader, nil }

type noAccess struct{ io.Reader }

func (noAccess) ReaderAt() (io.ReaderAt, error) {
	return nil, &fault.LimitError{What: "bytes of one spilled file", Where: "app.jar", Max: 1, Seen: 10}
}
