package java

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
)

const (
	reportPath       = "target/resolution-cache/reports/a.xml"
	verificationPath = "gradle/verification-metadata.xml"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, Analyzer{}) }

func FuzzSbtLock(f *testing.F) { analyzertest.Fuzz(f, Analyzer{}, "app/build.sbt.lock") }
func FuzzIvy(f *testing.F)     { analyzertest.Fuzz(f, Analyzer{}, "ant/ivy.xml") }
func FuzzIvyReport(f *testing.F) {
	analyzertest.Fuzz(f, Analyzer{}, reportPath, `<ivy-report><info organisation="o" module="m" revision="1" conf="test"/><dependencies><module organisation="a" name="b">`+
		`<revision name="1"><license name="MIT"/><caller organisation="o" name="m" callerrev="1"/></revision><revision name="0" evicted="x"/></module></dependencies></ivy-report>`)
}
func FuzzVerification(f *testing.F) { analyzertest.Fuzz(f, Analyzer{}, verificationPath) }

func TestResolvedCost(t *testing.T) {
	lines := analyzertest.Lines
	analyzertest.TestCost(t, Analyzer{},
		analyzertest.Growth{Name: "dependencies", Path: "build.sbt.lock", Data: func(n int) string {
			return `{"lockVersion":1,"dependencies":[` + lines(n/2, `{"org":"o","name":"d%[1]d","version":"1","configurations":["test"]},`) + `{"org":"o","name":"z"}]}`
		}},
		analyzertest.Growth{Name: "dependencies", Path: "ivy.xml", Data: func(n int) string {
			return `<ivy-module><info organisation="o" module="m"/><dependencies>` + lines(n/2, "<dependency org=\"o\" name=\"d%d\" rev=\"1\"/>\n") + `</dependencies></ivy-module>`
		}},
		analyzertest.Growth{Name: "one long tag", Path: "ivy.xml", Data: func(n int) string {
			return `<ivy-module><info organisation="o" module="m" ` + lines(n, "a%[1]d='%[1]d' ") + `/></ivy-module>`
		}},
		analyzertest.Growth{Name: "callers", Path: reportPath, Data: func(n int) string {
			return `<ivy-report><info organisation="o" module="m" revision="1"/><dependencies><module organisation="o" name="a"><revision name="1">` +
				lines(n, "<caller organisation=\"o\" name=\"m\" callerrev=\"1\"/>\n") + `</revision></module></dependencies></ivy-report>`
		}},
		analyzertest.Growth{Name: "components", Path: verificationPath, Data: func(n int) string {
			return `<verification-metadata><components>` + lines(n/2, "<component group=\"o\" name=\"a%[1]d\" version=\"1\"><artifact name=\"a%[1]d-1.jar\"/></component>\n") + `</components></verification-metadata>`
		}},
	)
}

func TestResolvedHostile(t *testing.T) {
	analyzertest.TestHostile(t, Analyzer{},
		analyzertest.Hostile{Name: "nested objects", Path: "build.sbt.lock", Data: strings.Repeat(`{"dependencies":[`, 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "nested elements", Path: "ivy.xml", Data: "<ivy-module>" + strings.Repeat("<info>", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "an entity", Path: "ivy.xml", Data: `<!DOCTYPE a [<!ENTITY b "c">]><ivy-module/>`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "another root", Path: reportPath, Data: "<a/>", Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty", Path: verificationPath, Want: fault.Invalid},
		analyzertest.Hostile{Name: "no version", Path: "build.sbt.lock", Data: "{}", Want: fault.Unsupported},
		analyzertest.Hostile{Name: "no object", Path: "build.sbt.lock", Data: "[]", Want: fault.Invalid},
	)
}

func TestAttributes(t *testing.T) {
	for in, want := range map[string]map[string]string{
		`<a/>`:                              {},
		`<a b="c" d = 'e"' f="&lt;&#65;"/>`: {"b": "c", "d": `e"`, "f": "<A"},
		`<a x:b=" c ">`:                     {"b": "c"},
		`<a b>`:                             {},
		`<a b=c>`:                           {},
		`<a b="c" d>`:                       {"b": "c"},
	} {
		x, err := newXMLReader([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.root(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, x.attributes()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}

// TestResolvedPeers: packages for tests are among them.
func TestResolvedPeers(t *testing.T) {
	peertest.Test(t, Analyzer{}, peertest.Peers{
		"trivy-parser/pkg/dependency/parser/sbt/lockfile/testdata/v1_happy.sbt.lock": {As: "build.sbt.lock",
			Want: "org.apache.commons:commons-lang3@3.9 org.scala-lang:scala-library@2.12.10 org.scalatest:scalatest-core_2.13@3.2.15 org.typelevel:cats-core_2.12@2.9.0"},
		"trivy-analyzer/pkg/fanal/analyzer/language/java/sbt/testdata/empty/build.sbt.lock": {Want: "0"},
	})
}
