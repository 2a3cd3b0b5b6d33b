package wordpress_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
	"github.com/stella-ops/stella/scan/analyzer/wordpress"
)

const (
	pluginFile = "srv/wp-content/plugins/akismet/akismet.php"
	themeFile  = "srv/wp-content/themes/child/style.css"
	coreFile   = "srv/wp-includes/version.php"
)

func TestGolden(t *testing.T) { analyzertest.TestGolden(t, wordpress.Analyzer{}) }

func FuzzPlugin(f *testing.F) {
	analyzertest.Fuzz(f, wordpress.Analyzer{}, pluginFile, "<?php\r/* Plugin Name: \xff\x00 */\rVersion: 1\n", "Plugin Name: a\nRequires Plugins: b,,a,b\nLicense URI: x\nLicense:y")
}

func FuzzTheme(f *testing.F) { analyzertest.Fuzz(f, wordpress.Analyzer{}, themeFile) }

func FuzzCore(f *testing.F) {
	analyzertest.Fuzz(f, wordpress.Analyzer{}, coreFile, "$wp_version = \"1\";", "$wp_version=''", "$wp_version='")
}

func TestPaths(t *testing.T) {
	set := analyzer.NewSet(wordpress.Analyzer{})
	for path, want := range map[string]bool{
		pluginFile: true, themeFile: true, coreFile: true, "wp-includes/version.php": true, "wp-content/plugins/hello.php": true,
		"a/wp-content/b/wp-content/plugins/c/c.php": true, "xwp-content/plugins/c/c.php": false, "wp-content/plugins/c/d/e.php": false,
		"wp-content/themes/style.css": false, "wp-content/themes/c/d/style.css": false, "wp-content/c.php": false, "xwp-includes/version.php": false,
		"wp-content/themes/c/functions.php": false, "wp-includes/class.php": false,
	} {
		if got := len(set.ByPath(nil, path)) > 0; got != want {
			t.Errorf("%s is wanted: %v", path, got)
		}
	}
}

func TestCost(t *testing.T) {
	analyzertest.TestCost(t, wordpress.Analyzer{},
		analyzertest.Growth{Name: "lines", Path: pluginFile, Data: func(n int) string {
			return "/* Plugin Name: a\n" + strings.Repeat("Version: 1\n", n)
		}},
		analyzertest.Growth{Name: "one line", Path: pluginFile, Data: func(n int) string {
			return "/* Plugin Name: a\nRequires Plugins: " + strings.Repeat("a,", n)
		}},
	)
}

// TestHead: what is behind the bytes that WordPress looks at does not count.
func TestHead(t *testing.T) {
	early := analyzertest.Scan(wordpress.Analyzer{}, map[string][]byte{pluginFile: []byte(strings.Repeat(" ", 8000) + "\nPlugin Name: a\nVersion: 1\n" + strings.Repeat("x", 1<<20))})
	late := analyzertest.Scan(wordpress.Analyzer{}, map[string][]byte{pluginFile: []byte(strings.Repeat(" ", 9000) + "\nPlugin Name: a\nVersion: 1\n")})
	if got := fmt.Sprint(early.Names(), late.Names()); got != "[akismet@1] []" {
		t.Error(got)
	}
}

func TestHostile(t *testing.T) {
	analyzertest.TestHostile(t, wordpress.Analyzer{},
		analyzertest.Hostile{Name: "signs of comments", Path: pluginFile, Data: strings.Repeat("/*#@ ", 1<<20)},
		analyzertest.Hostile{Name: "colons", Path: pluginFile, Data: strings.Repeat(":\n", 1<<20)},
		analyzertest.Hostile{Name: "zeros", Path: themeFile, Data: strings.Repeat("\x00", 1<<20)},
		analyzertest.Hostile{Name: "empty", Path: pluginFile},
		analyzertest.Hostile{Name: "core without a version", Path: coreFile, Data: "<?php\n", Want: fault.Invalid},
	)
}

func Example() {
	facts, err := wordpress.Analyzer{}.Extract(context.Background(), analyzer.NewMemoryFile(pluginFile, []byte(`<?php
/*
Plugin Name: Akismet Anti-spam
Version: 5.3.1
*/`)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range facts {
		fmt.Println(f.Key, f.Package.Version, f.Package.Properties)
	}
	// Output: plugin/akismet 5.3.1 [{wordpress:kind plugin} {wordpress:name Akismet Anti-spam}]
}
