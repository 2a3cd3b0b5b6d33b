package dpkg

import (
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan/analyzer"
)

const (
	divertFile = "var/lib/dpkg/diversions"
	divertKey  = "/diversion" // no package is called so
	maxDiverts = 100_000
)

// parseDiversions reads the database of dpkg-divert(1): three lines a record, the path, what
// it is called instead, and for which package; ":" stands for the machine's administrator.
func parseDiversions(f *analyzer.File) ([]analyzer.Fact, error) {
	data, err := f.Bytes(0)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(strings.ToValidUTF8(string(data), "%"), "\n"), "\n")
	if len(lines) > 3*maxDiverts {
		return nil, &fault.LimitError{What: "lines of diversions", Where: f.Path, Max: 3 * maxDiverts, Seen: int64(len(lines))}
	}
	var facts []analyzer.Fact
	for ; len(lines) >= 3; lines = lines[3:] {
		from, to := listPath(lines[0]), listPath(lines[1])
		if from != "" && to != "" {
			facts = append(facts, analyzer.Fact{Kind: analyzer.KindPart, Scope: scope, Key: divertKey, Provides: []string{from, to, lines[2]}})
		}
	}
	return facts, nil
}

// diversion says that every package but one has its file elsewhere.
type diversion struct{ from, to, by string }

// divert puts the files of a package where they really are.
func divert(owns []string, name string, diversions []diversion) []string {
	cloned := false
	for _, d := range diversions {
		at, found := slices.BinarySearch(owns, d.from)
		if !found || d.by == name {
			continue
		}
		if !cloned { // facts may be shared with a cache
			owns, cloned = slices.Clone(owns), true
		}
		owns = slices.Delete(owns, at, at+1)
		if at, found := slices.BinarySearch(owns, d.to); !found {
			owns = slices.Insert(owns, at, d.to)
		}
	}
	return owns
}

// scriptOf returns the package of a script that dpkg keeps (deb-postinst(5) and others), by
// the name of the file, or "".
func scriptOf(base string) string {
	at := max(strings.LastIndexByte(base, '.'), 0)
	switch base[at:] {
	case ".config", ".postinst", ".postrm", ".preinst", ".prerm":
		return base[:at]
	}
	return ""
}
