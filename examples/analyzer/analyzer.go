package analyzer

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stella-ops/stella/scan/analyzer"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

// maxBytes bounds one file: an image is made by strangers. Real ones have some kilobytes.
const maxBytes = 4 << 20

// Bricks reads brick.lock. The zero value is ready to use.
type Bricks struct{}

// Info implements analyzer.Analyzer.
func (Bricks) Info() analyzer.Info { return analyzer.Info{Name: "bricks", Version: 1} }

// Paths implements analyzer.Analyzer.
func (Bricks) Paths() analyzer.Paths { return analyzer.Paths{Names: []string{"brick.lock"}} }

// Extract implements analyzer.Analyzer. What was read before a mistake is kept beside the
// error: the file becomes a gap, and its packages are not lost.
func (Bricks) Extract(_ context.Context, f *analyzer.File) ([]analyzer.Fact, error) {
	text, err := f.Bytes(maxBytes)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	facts, err := read(text)
	for i := range facts {
		slices.Sort(facts[i].DependsOn) // lists of facts are sorted, each word once
		facts[i].DependsOn = slices.Compact(facts[i].DependsOn)
	}
	if err == nil {
		err = f.Budget.Fact(f.Path, int64(len(facts)))
	}
	if err != nil {
		return facts, fmt.Errorf("read %s: %w", f.Path, err)
	}
	return facts, nil
}

// read returns one fact for each brick, beside an error those before it. The text is not
// kept: strings are copies.
func read(text []byte) (facts []analyzer.Fact, err error) {
	number := 0
	for line := range bytes.Lines(text) {
		number++
		words := strings.Fields(string(line))
		switch {
		case !utf8.Valid(line):
			return facts, mistake(number, "it is no UTF-8")
		case number == 1:
			if len(words) != 2 || words[0] != "brick-lock" || words[1] != "1" {
				return nil, mistake(number, "it must be \"brick-lock 1\"")
			}
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case words[0] == "needs" && len(words) == 2 && len(facts) > 0:
			needs := &facts[len(facts)-1].DependsOn
			*needs = append(*needs, words[1])
		case (words[0] == "brick" || words[0] == "scaffold") && (len(words) == 3 || len(words) == 4):
			fact, err := brick(words)
			if err != nil {
				return facts, mistake(number, err.Error())
			}
			facts = append(facts, fact)
		default:
			return facts, mistake(number, "it is no brick, no scaffold, and nothing that one needs")
		}
	}
	if number == 0 {
		return nil, mistake(1, "it must be \"brick-lock 1\"")
	}
	return facts, nil
}

// brick reads "brick NAME VERSION [sha256:HEX]".
func brick(words []string) (analyzer.Fact, error) {
	p := &sbom.Package{Name: words[1], Version: words[2], State: sbom.Declared}
	if strings.Contains(p.Name, "/") {
		return analyzer.Fact{}, fmt.Errorf("the name %.80q has a slash", p.Name)
	}
	p.PURL = purl.PackageURL{Type: "generic", Name: p.Name, Version: p.Version}.Normalize()
	if err := p.PURL.Valid(); err != nil {
		return analyzer.Fact{}, err
	}
	if words[0] == "scaffold" {
		p.Scope = sbom.ScopeDev
	}
	if len(words) == 4 {
		sum, ok := strings.CutPrefix(words[3], "sha256:")
		if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != 32 || strings.ToLower(sum) != sum {
			return analyzer.Fact{}, fmt.Errorf("%.80q is no digest", words[3])
		}
		p.Hashes = []sbom.Hash{{Algorithm: "sha256", Value: sum}}
	}
	return analyzer.Fact{Kind: analyzer.KindPackage, Key: p.Name, Package: p}, nil
}

// mistake says where and why. It has a kind, so that nobody takes it for a file that could
// be read later.
func mistake(line int, what string) error {
	return fmt.Errorf("line %d: %s: %w", line, what, analyzer.ErrInvalid)
}
