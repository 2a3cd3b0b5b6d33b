// Package vexdoc has what the codecs of VEX formats share: how what a document says
// is passed on, the digest of its bytes, times, and texts that are too long.
package vexdoc

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// MaxID bounds the bytes of a vulnerability's id.
const MaxID = 1024

// Out passes on what a document says.
type Out struct {
	Name   string     // the document's
	Origin vex.Origin // of each statement but for the pointer
	Yield  func(*vex.Statement, error) bool
	// MaxStatements and MaxProducts bound what is passed on; products with their
	// subcomponents.
	MaxStatements, MaxProducts int

	statements, products int
}

// Statement fills in the origin, trims ids, cuts texts, prepares a statement and passes
// it on, or says why it cannot be used. It reports whether to go on.
func (o *Out) Statement(pointer string, s *vex.Statement) bool {
	if !o.count(pointer, s.Products) {
		return false
	}
	s.Origin = o.Origin
	s.Origin.Pointer = pointer
	s.Origin.ID, s.Origin.Version, s.Origin.Author = Cut(s.Origin.ID), Cut(s.Origin.Version), Cut(s.Origin.Author)
	s.Vulnerability = strings.TrimSpace(s.Vulnerability)
	for i := range s.Aliases {
		s.Aliases[i] = strings.TrimSpace(s.Aliases[i])
	}
	s.Impact, s.Action, s.Notes = Cut(s.Impact), Cut(s.Action), Cut(s.Notes)
	err := readable(s)
	if err == nil {
		err = s.Prepare()
	}
	if err != nil {
		return o.broken(pointer, err)
	}
	return o.Yield(s, nil)
}

// count bounds what is passed on.
func (o *Out) count(pointer string, products []vex.Product) bool {
	o.statements++
	o.products += len(products)
	for i := range products {
		o.products += len(products[i].Subcomponents)
	}
	switch {
	case o.statements > o.MaxStatements:
		return o.Refuse(&fault.LimitError{What: "statements", Where: pointer, Max: int64(o.MaxStatements)})
	case o.products > o.MaxProducts:
		return o.Refuse(&fault.LimitError{What: "products", Where: pointer, Max: int64(o.MaxProducts)})
	}
	return true
}

// readable checks the ids, which people and stores are given as they are.
func readable(s *vex.Statement) error {
	for _, id := range append([]string{s.Vulnerability}, s.Aliases...) {
		if len(id) > MaxID || strings.ContainsFunc(id, unicode.IsControl) {
			return fmt.Errorf("vulnerability %.64q has more than %d bytes or control characters: %w", id, MaxID, fault.Invalid)
		}
	}
	return nil
}

// Broken passes on that a part of the document cannot be used. It reports whether
// to go on. Such a part is one of the statements that are bounded.
func (o *Out) Broken(pointer string, err error) bool {
	return o.count(pointer, nil) && o.broken(pointer, err)
}

func (o *Out) broken(pointer string, err error) bool {
	return o.Yield(nil, &vex.StatementError{Document: o.Name, Pointer: pointer, Err: err})
}

// Refuse passes on that the document as a whole cannot be used, and reports false.
func (o *Out) Refuse(err error) bool {
	o.Yield(nil, fmt.Errorf("read %s from %s: %w", o.Origin.Format, o.Name, err))
	return false
}

// Digest returns the digest of a document's bytes.
func Digest(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Cut returns a text of at most vex.MaxText bytes, without half characters and NULs,
// which stores do not take.
func Cut(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	if len(s) <= vex.MaxText {
		return s
	}
	s = s[:vex.MaxText]
	for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) {
		r, size := utf8.DecodeLastRuneInString(s)
		if r != utf8.RuneError || size != 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s
}

// Time reads a time of RFC 3339, in UTC. It must be of the years 1 to 9999: JSON
// cannot hold another.
func Time(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.64q is no time of RFC 3339: %w", s, fault.Invalid)
	}
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 || t.IsZero() {
		return time.Time{}, fmt.Errorf("%.64q is of no year from 1 to 9999: %w", s, fault.Invalid)
	}
	return t, nil
}

// Safe reports whether a status lowers risk where it counts.
func Safe(s vex.Status) bool { return s == vex.NotAffected || s == vex.Fixed }

// Check reports why a statement cannot be written in any format. It does not change
// the statement.
func Check(s *vex.Statement) error {
	clone := *s
	clone.Aliases = slices.Clone(s.Aliases)
	clone.Products = slices.Clone(s.Products)
	for i := range clone.Products {
		clone.Products[i].Subcomponents = slices.Clone(clone.Products[i].Subcomponents)
	}
	if err := clone.Prepare(); err != nil {
		return err
	}
	switch {
	case s.Status == vex.NotAffected && s.Justification == "" && s.Impact == "":
		return fmt.Errorf("%s without a justification and an impact statement: %w", s.Status, fault.Invalid)
	case !s.Until.IsZero():
		return fmt.Errorf("no format has an end of validity: without it the statement would be one for ever: %w", fault.Unsupported)
	}
	return nil
}

// NewerTime decides between the time of an update, if there is one, and that of what
// was updated. Where the update is before it the two contradict each other: then the
// earlier counts for what lowers risk, the later for all else.
func NewerTime(updated, stamp string, safe bool) (time.Time, error) {
	if updated == "" {
		updated, stamp = stamp, ""
	}
	t, err := Time(updated)
	if err != nil || stamp == "" {
		return t, err
	}
	other, err := Time(stamp)
	if err != nil {
		return other, err
	}
	if t.Before(other) && !safe {
		return other, nil
	}
	return t, nil
}
