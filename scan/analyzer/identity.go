package analyzer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Identity returns a digest of the names, versions, rules and order of the analyzers.
// Facts of two sets with one identity are interchangeable.
func (s *Set) Identity() string {
	h := sha256.New()
	for _, i := range s.infos {
		fmt.Fprintf(h, "%s/%d\n", i.Name, i.Version)
		if i.Rules != "" {
			fmt.Fprintf(h, "\t%s\n", i.Rules)
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
