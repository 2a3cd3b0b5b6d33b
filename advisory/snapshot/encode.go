package snapshot

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
)

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func appendScores(b []byte, scores []finding.Score) []byte {
	b = binary.AppendUvarint(b, uint64(len(scores)))
	for _, s := range scores {
		b = appendText(appendText(appendText(b, s.Type), s.Value), s.Source)
	}
	return b
}

// appendRecord writes a record without what it affects.
func appendRecord(b []byte, r *advisory.Record) ([]byte, error) {
	text, ok := strings.CutPrefix(r.Digest, "sha256:")
	sum, err := hex.DecodeString(text)
	if !ok || err != nil || len(sum) != 32 {
		return nil, fmt.Errorf("%s: digest %q is no SHA-256: %w", r.ID, r.Digest, fault.Invalid)
	}
	for _, s := range []string{r.ID, r.Modified, r.Published, r.Withdrawn, r.Summary, r.Rating, r.URL} {
		b = appendText(b, s)
	}
	for _, list := range [][]string{r.Aliases, r.Upstream, r.Related} {
		b = appendTexts(b, list)
	}
	return append(appendScores(b, r.Scores), sum...), nil
}

// The optional parts of an entry.
const (
	hasName     = 1 << iota // the name as written is not the canonical one
	hasVersions             // enumerated versions
	hasScores
	hasRating
	isWithdrawn
	hasStatus
	hasStream
)

// The kinds of range and event, as bytes.
const (
	kindEcosystem = iota
	kindSemver
	kindOther // type and repository follow
)

const (
	eventStart = iota // introduced at "0"
	eventIntroduced
	eventFixed
	eventLastAffected
	eventLimit
)

// appendEntry writes an affected package of a record, without ecosystem, the
// canonical name and the record's number, which the posting and the segment
// know.
func appendEntry(b []byte, a *advisory.Affected, canonical string, withdrawn bool) []byte {
	var flags byte
	if a.Name != canonical {
		flags |= hasName
	}
	if a.Versions != "" {
		flags |= hasVersions
	}
	if len(a.Scores) > 0 {
		flags |= hasScores
	}
	if a.Rating != "" {
		flags |= hasRating
	}
	if withdrawn {
		flags |= isWithdrawn
	}
	if a.Status != "" {
		flags |= hasStatus
	}
	if a.Stream != "" {
		flags |= hasStream
	}
	b = append(b, flags)
	if flags&hasName != 0 {
		b = appendText(b, a.Name)
	}
	b = binary.AppendUvarint(b, uint64(len(a.Ranges)))
	for i := range a.Ranges {
		b = appendRange(b, &a.Ranges[i])
	}
	if flags&hasVersions != 0 {
		b = appendText(b, string(a.Versions))
	}
	if flags&hasScores != 0 {
		b = appendScores(b, a.Scores)
	}
	if flags&hasRating != 0 {
		b = appendText(b, a.Rating)
	}
	if flags&hasStatus != 0 {
		b = appendText(b, string(a.Status))
	}
	if flags&hasStream != 0 {
		b = appendText(b, a.Stream)
	}
	return b
}

func appendRange(b []byte, r *advisory.Range) []byte {
	switch {
	case r.Type == advisory.RangeEcosystem && r.Repo == "":
		b = append(b, kindEcosystem)
	case r.Type == advisory.RangeSemver && r.Repo == "":
		b = append(b, kindSemver)
	default:
		b = appendText(appendText(append(b, kindOther), string(r.Type)), r.Repo)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Events)))
	for _, e := range r.Events {
		b = appendEvent(b, e)
	}
	return b
}

func appendEvent(b []byte, e version.Event) []byte {
	switch {
	case e.Introduced == "0":
		return append(b, eventStart)
	case e.Introduced != "":
		return appendText(append(b, eventIntroduced), e.Introduced)
	case e.Fixed != "":
		return appendText(append(b, eventFixed), e.Fixed)
	case e.LastAffected != "":
		return appendText(append(b, eventLastAffected), e.LastAffected)
	}
	return appendText(append(b, eventLimit), e.Limit)
}
