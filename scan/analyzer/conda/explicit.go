package conda

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/analyzer/internal/jsontext"
	"github.com/stella-ops/stella/scan/analyzer/internal/locked"
	"github.com/stella-ops/stella/scan/sbom"
)

// readExplicit reads what "conda list --explicit" and "conda-lock render" write: addresses
// of archives with digests behind "#" below a line "@EXPLICIT". A file without that line is
// something else. conda-lock notes packages of pip in comments.
func readExplicit(_ string, data []byte) ([]analyzer.Fact, error) {
	if !bytes.Contains(data, []byte("@EXPLICIT")) {
		return nil, nil
	}
	var l lockfile
	explicit, n := false, 0
	for raw := range bytes.Lines(data) {
		n++
		line := strings.TrimSpace(jsontext.Clean(raw))
		requirement, pip := strings.CutPrefix(line, "# pip ")
		switch {
		case line == "@EXPLICIT":
			explicit = true
		case explicit && pip:
			l.explicitPip(n, requirement)
		case !explicit || line == "" || line[0] == '#':
		default:
			l.explicit(n, line)
		}
	}
	return l.Facts(nil)
}

func (l *lockfile) explicit(n int, line string) {
	address, digest, _ := strings.Cut(line, "#")
	a, ok := parseArchive(strings.TrimSpace(address))
	if !ok {
		l.Odd(fmt.Errorf("line %d: %.80q is not the address of a package: %w", n, withoutSecrets(line), fault.Invalid))
		return
	}
	p := a.describe()
	p.Hashes = append(locked.Hex("md5", digest), locked.Hex("sha256", strings.TrimPrefix(digest, "sha256:"))...)
	l.put(locked.Entry{Key: a.key(), Package: p})
}

// explicitPip reads "name @ address --hash=sha256:…".
func (l *lockfile) explicitPip(n int, text string) {
	requirement, digest, _ := strings.Cut(text, " --hash=")
	p, ok := pipPackage(requirement)
	if !ok {
		l.Odd(fmt.Errorf("line %d: %.80q is not a requirement of pip: %w", n, withoutSecrets(requirement), fault.Invalid))
		return
	}
	algorithm, digest, _ := strings.Cut(digest, ":")
	p.Hashes = append([]sbom.Hash(nil), locked.Hex(algorithm, digest)...)
	l.put(locked.Entry{Key: pypiKey(&p), Package: p})
}
