package pear_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/pear"
)

const file = "usr/local/lib/php/.registry/archive_tar.reg"

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, pear.Analyzer{}) }

func FuzzPackage(f *testing.F) { analyzertest.Fuzz(f, pear.Analyzer{}, file) }

// array writes an array of n entries as PHP does.
func array(n int, entries string) string { return fmt.Sprintf("a:%d:{%s}", n, entries) }

// named is a package with n more entries.
func named(n int, entries string) string {
	return array(n+2, `s:7:"package";s:1:"A";s:7:"version";s:1:"1";`+entries)
}

func TestCost(t *testing.T) {
	lines := analyzertest.Lines
	analyzertest.TestCost(t, pear.Analyzer{},
		analyzertest.Growth{Name: "fields", Path: file, Data: func(n int) string { return named(n, lines(n, "i:%d;N;")) }},
		analyzertest.Growth{Name: "files", Path: file, Data: func(n int) string {
			return named(1, `s:8:"filelist";`+array(n, strings.Repeat(`s:1:"f";a:1:{s:12:"installed_as";s:7:"/usr/f1";}`, n)))
		}},
		analyzertest.Growth{Name: "licences", Path: file, Data: func(n int) string {
			return named(1, `s:7:"license";`+array(n, lines(n, `i:%d;s:3:"MIT";`)))
		}},
		analyzertest.Growth{Name: "a long text", Path: file, Data: func(n int) string {
			return named(1, fmt.Sprintf(`s:7:"summary";s:%d:"%s";`, 10*n, strings.Repeat("0123456 8\n", n)))
		}},
	)
}

func TestHostile(t *testing.T) {
	want := `i:0;a:2:{s:4:"name";s:1:"B";s:7:"channel";s:1:"c";}`
	analyzertest.TestHostile(t, pear.Analyzer{},
		analyzertest.Hostile{Name: "empty", Path: file, Want: fault.Invalid},
		analyzertest.Hostile{Name: "no array", Path: file, Data: `s:1:"a";`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "no name", Path: file, Data: "a:0:{}", Want: fault.Invalid},
		analyzertest.Hostile{Name: "nested", Path: file, Data: strings.Repeat("a:1:{i:0;", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "a huge text", Path: file, Data: `a:1:{s:999999999999:"a";`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "a number without end", Path: file, Data: "a:" + strings.Repeat("9", 100_000), Want: fault.Invalid},
		analyzertest.Hostile{Name: "no size", Path: file, Data: "a::{}", Want: fault.Invalid},
		analyzertest.Hostile{Name: "fewer than it says", Path: file, Data: "a:5:{i:0;N;}", Want: fault.Invalid},
		analyzertest.Hostile{Name: "more than it says", Path: file, Data: "a:1:{i:0;N;i:1;N;}", Want: fault.Invalid},
		analyzertest.Hostile{Name: "an object", Path: file, Data: named(1, `i:0;O:8:"stdClass":0:{}`), Want: fault.Unsupported},
		analyzertest.Hostile{Name: "text behind", Path: file, Data: named(0, "") + "x", Want: fault.Invalid},
		analyzertest.Hostile{Name: "too many values", Path: file, Data: named(1, "i:0;"+array(1_100_000, strings.Repeat("i:0;N;", 1_100_000))), Want: fault.Limit},
		analyzertest.Hostile{Name: "too many files", Path: file, Data: named(1, `s:8:"filelist";`+array(30_000, analyzertest.Lines(30_000, `i:0;a:1:{s:12:"installed_as";s:9:"/f/%06[1]d";}`))), Want: fault.Limit},
		analyzertest.Hostile{Name: "too many dependencies", Path: file, Data: named(1, `s:12:"dependencies";a:1:{s:8:"required";a:1:{s:7:"package";`+array(1100, strings.Repeat(want, 1100))+"}}"), Want: fault.Limit},
		analyzertest.Hostile{Name: "bytes that are no text", Path: file, Data: named(1, "s:7:\"summary\";s:1:\"\xe9\";")},
	)
}

// TestChannels: the file's own, else that of its folder; an address is none.
func TestChannels(t *testing.T) {
	channel := func(name string) string { return named(1, fmt.Sprintf(`s:7:"channel";s:%d:"%s";`, len(name), name)) }
	for _, test := range [][3]string{
		{file, named(0, ""), "[pkg:pear/pear.php.net/A@1]"},
		{"usr/share/php/.registry/.channel.pecl.php.net/a.reg", named(0, ""), "[pkg:pear/pecl.php.net/A@1]"},
		{"usr/share/php/.registry/.channel.pecl.php.net/a.reg", channel("Horde.example"), "[pkg:pear/horde.example/A@1]"},
		{"usr/share/php/.registry/.channel.__uri/a.reg", channel("__uri"), "[]"},
		{"usr/share/php/.registry/.channel./a.reg", named(0, ""), "[pkg:pear/pear.php.net/A@1]"},
	} {
		r := analyzertest.Scan(pear.Analyzer{}, map[string][]byte{test[0]: []byte(test[1])})
		if got := fmt.Sprint(r.PURLs()); got != test[2] || len(r.Packages) != 1 {
			t.Errorf("%s: %s %v, want %s", test[0], got, r.Errors, test[2])
		}
	}
}

// TestPlaces: what PEAR has beside packages is of other kinds.
func TestPlaces(t *testing.T) {
	data := []byte(named(0, ""))
	for path, want := range map[string]string{
		file: "[A@1]", "usr/share/php/.registry/.channel.pecl.php.net/a.reg": "[A@1]",
		"usr/share/php/.channels/pear.php.net.reg": "[]", "a.reg": "[]", "usr/share/php/.registry/other/a.reg": "[]", "usr/share/php/.registry/a.txt": "[]",
	} {
		if r := analyzertest.Scan(pear.Analyzer{}, map[string][]byte{path: data}); fmt.Sprint(r.Names()) != want || len(r.Errors) != 0 {
			t.Errorf("%s: %v %v, want %s", path, r.Names(), r.Errors, want)
		}
	}
}

func ExampleAnalyzer() {
	facts, err := pear.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("usr/local/lib/php/.registry/.channel.pecl.php.net/memcached.reg",
		[]byte(`a:3:{s:4:"name";s:9:"memcached";s:7:"channel";s:12:"pecl.php.net";s:7:"version";a:1:{s:7:"release";s:5:"3.2.0";}}`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL)
	}
	// Output: pkg:pear/pecl.php.net/memcached@3.2.0
}
