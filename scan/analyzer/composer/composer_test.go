package composer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/composer"
	"github.com/stella-ops/stella/scan/analyzer/internal/peertest"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, composer.Analyzer{}) }

func FuzzLock(f *testing.F) { analyzertest.Fuzz(f, composer.Analyzer{}, "app/composer.lock") }

func FuzzInstalled(f *testing.F) {
	analyzertest.Fuzz(f, composer.Analyzer{}, "app/vendor/composer/installed.json")
}

func TestCost(t *testing.T) {
	const entry = `{"name":"v/d%[1]d","version":"1.0.%[1]d","require":{"v/d0":"*","v/d%[1]d":"*"},"provide":{"v/p%[1]d":"*"},"license":["MIT"]},`
	analyzertest.TestCost(t, composer.Analyzer{},
		analyzertest.Growth{Name: "packages", Path: "composer.lock", Data: func(n int) string {
			return `{"packages":[` + analyzertest.Lines(n/4, entry) + `{"name":"v/z","version":"1"}]}`
		}},
		analyzertest.Growth{Name: "versions of one package", Path: "composer.lock", Data: func(n int) string {
			return `{"packages":[` + analyzertest.Lines(n/4, `{"name":"v/d","version":"1.%d"},`) + `{"name":"v/z","version":"1"}]}`
		}},
		analyzertest.Growth{Name: "packages for development", Path: "vendor/composer/installed.json", Data: func(n int) string {
			return `{"packages":[` + analyzertest.Lines(n/4, entry) + `{"name":"v/z","version":"1"}],"dev-package-names":[` + analyzertest.Lines(n/4, `"v/d%d",`) + `""]}`
		}},
		analyzertest.Growth{Name: "authors", Path: "composer.lock", Data: func(n int) string {
			return `{"packages":[{"name":"a/b","version":"1","authors":[` + analyzertest.Lines(n, `{"name":"n%[1]d","email":"m%[1]d"},`) + `{}]}]}`
		}},
	)
}

func TestHostile(t *testing.T) {
	same := analyzertest.Lines(2100, `{"name":"a/a","version":"%d"},`)
	analyzertest.TestHostile(t, composer.Analyzer{},
		analyzertest.Hostile{Name: "nested lists", Path: "composer.lock", Data: `{"a":` + strings.Repeat("[", 100_000), Want: fault.Limit},
		analyzertest.Hostile{Name: "one name many times", Path: "composer.lock", Want: fault.Limit,
			Data: `{"packages":[` + same + `{"name":"b/b","version":"1","require":{` + analyzertest.Lines(1000, `"a/a":"%d",`) + `"a/a":""}}]}`},
		analyzertest.Hostile{Name: "packages without end", Path: "composer.lock", Want: fault.Limit,
			Data: `{"packages":[` + strings.Repeat(`{"name":"a/a"},`, 100_001) + `{}]}`},
		analyzertest.Hostile{Name: "no name", Path: "vendor/composer/installed.json", Data: `[{"version":"1"}]`, Want: fault.Invalid},
		analyzertest.Hostile{Name: "empty", Path: "composer.lock", Want: fault.Invalid},
		analyzertest.Hostile{Name: "nothing locked", Path: "composer.lock", Data: "{}"},
	)
}

// TestPaths: the folder of installed packages may have any name.
func TestPaths(t *testing.T) {
	set := analyzer.NewSet(composer.Analyzer{})
	for path, want := range map[string]bool{
		"app/composer.lock": true, "composer.lock": true, "app/vendor/composer/installed.json": true, "3rdparty/composer/installed.json": true,
		"composer/installed.json": true, "lib/apk/db/installed.json": false, "installed.json": false, "app/composer.json": false,
		"vendor/composer/installed.php": false,
	} {
		if got := len(set.ByPath(nil, path)) == 1; got != want {
			t.Errorf("%s: wanted = %v, want %v", path, got, want)
		}
	}
}

// TestPeers: numbers were checked by hand.
func TestPeers(t *testing.T) {
	const language = "trivy-analyzer/pkg/fanal/analyzer/language/php/composer/testdata/"
	const source, scan = "osv-scanner/cmd/osv-scanner/scan/source/testdata/", "osv-scanner/cmd/osv-scanner/scan/testdata/"
	half := func(path string, n int) string {
		return fmt.Sprintf("0 !read %s: line 1 (byte %d): expected a member name in quotes: invalid input", path, n)
	}
	peertest.Test(t, composer.Analyzer{}, peertest.Peers{
		language + "composer/happy/composer.lock":            {Want: "pear/log@1.13.3 pear/pear_exception@v1.0.2"},
		language + "composer/no-composer-json/composer.lock": {Want: "pear/log@1.13.3 pear/pear_exception@v1.0.2"},
		language + "composer/sad/composer.lock":              {As: "composer.lock", Want: half("composer.lock", 1)},
		language + "composer-vendor/happy/installed.json":    {As: "vendor/composer/installed.json", Want: "pear/log@1.13.3 pear/pear_exception@v1.0.2"},
		language + "composer-vendor/sad/installed.json":      {As: "vendor/composer/installed.json", Want: half("vendor/composer/installed.json", 1)},
		source + "locks-empty/composer.lock":                 {Want: "0"},
		source + "locks-insecure/composer.lock":              {Want: "league/flysystem@1.0.8"},
		source + "locks-many-with-insecure/composer.lock":    {Want: "6"},
		source + "locks-many/composer.lock":                  {Want: "sentry/sdk@2.0.4"},
		source + "locks-none/nested/composer.lock":           {Want: "sentry/sdk@2.0.4"},
		scan + "locks-many/composer.lock":                    {Want: "sentry/sdk@2.0.4"},
		scan + "locks-one-with-nested/nested/composer.lock":  {Want: "sentry/sdk@2.0.4"},
	})
}

func Example() {
	facts, err := composer.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile("app/vendor/composer/installed.json", []byte(`{"packages": [
		{"name": "psr/log", "version": "3.0.0", "notification-url": "https://packagist.org/downloads/"},
		{"name": "drupal/ctools", "version": "3.9.0", "notification-url": "https://packages.drupal.org/8/downloads"}
	]}`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Package.PURL)
	}
	// Output:
	// pkg:composer/psr/log@3.0.0
	// pkg:composer/drupal/ctools@3.9.0?repository_url=https:%2F%2Fpackages.drupal.org%2F8
}
