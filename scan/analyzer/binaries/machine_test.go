package binaries

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stella-ops/stella/scan/analyzer/analyzertest"
)

// TestMachine looks at real programs, where the machine has them: what is found must be of
// the program that the file is, and every one of them must be found.
func TestMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("reads many files")
	}
	for _, tt := range []struct{ glob, name string }{
		{"/bin/bash", "bash"},
		{"/usr/bin/openssl", "openssl"},
		{"/usr/lib/*/libcrypto.so.3", "openssl"},
		{"/usr/bin/node", "node"},
		{"/usr/bin/git", "git"},
		{"/usr/bin/curl", "curl"},
		{"/usr/lib/*/libcurl.so.4.*", "curl"},
		{"/usr/bin/perl", "perl"},
		{"/usr/bin/jq", "jq"},
		{"/usr/bin/ssh", "openssh"},
		{"/usr/bin/xz", "xz"},
		{"/usr/bin/python3.*[0-9]", "python"},
		{"/usr/lib/*/libpython3.*.so.1.0", "python"},
		{"/usr/lib/jvm/*/lib/server/libjvm.so", "openjdk"},
		{"/usr/lib/jvm/*/release", "openjdk"},
		{"/usr/local/go/VERSION", "go"},
		{"/usr/lib/erlang/releases/*/OTP_VERSION", "erlang"},
		{"/usr/lib/*/libz.so.1.*", "zlib"},
		{"/usr/lib/*/libbz2.so.1.0.*", "bzip2"},
		{"/usr/lib/*/libexpat.so.1.*", "expat"},
		{"/usr/lib/*/libc.so.6", "glibc"},
		{"/usr/lib/*/libgnutls.so.30.*", "gnutls"},
		{"/usr/lib/*/libjpeg.so.62.*", "libjpeg-turbo"},
		{"/usr/lib/*/liblzma.so.5.*", "xz"},
		{"/usr/lib/*/libpcre2-8.so.0.*", "pcre2"},
		{"/usr/lib/*/libpng16.so.16.*", "libpng"},
		{"/usr/lib/*/libsqlite3.so.0.*", "sqlite"},
		{"/usr/lib/*/libssh2.so.1.*", "libssh2"},
		{"/usr/lib/*/libtiff.so.6.*", "libtiff"},
		{"/usr/local/bin/postgres", "postgresql"},
		{"/usr/sbin/nginx", "nginx"},
		{"/usr/bin/redis-check-rdb", "redis"},
		{"/usr/bin/valkey-check-rdb", "valkey"},
	} {
		t.Run(tt.glob, func(t *testing.T) {
			matches, err := filepath.Glob(tt.glob)
			if err != nil {
				t.Fatal(err)
			}
			if len(matches) == 0 {
				t.Skipf("this machine has no %s", tt.glob)
			}
			for _, file := range matches {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Skipf("not readable: %v", err)
				}
				r := analyzertest.Scan(Analyzer{}, map[string][]byte{strings.TrimPrefix(file, "/"): data})
				if len(r.Errors) > 0 || len(r.Packages) != 1 || r.Packages[0].Package.Name != tt.name || r.Packages[0].Package.Version == "" {
					t.Errorf("%s: %v %v", file, r.Names(), r.Errors)
				}
			}
		})
	}
}

// TestMachineSilent: of all programs of the machine, those that have a name of the table and
// no text of it give no error.
func TestMachineSilent(t *testing.T) {
	if testing.Short() {
		t.Skip("reads many files")
	}
	accept := Analyzer{}.Paths().Accept
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			file := filepath.Join(dir, e.Name())
			if !e.Type().IsRegular() || !accept(file) {
				continue
			}
			data, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			if r := analyzertest.Scan(Analyzer{}, map[string][]byte{strings.TrimPrefix(file, "/"): data}); len(r.Errors) > 0 {
				t.Errorf("%s: %v", file, r.Errors)
			} else {
				t.Log(file, r.Names())
			}
		}
	}
}
