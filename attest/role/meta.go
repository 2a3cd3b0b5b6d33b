package role

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/stella-ops/stella/attest/dsse"
)

const digestPrefix = "sha256:"

// meta names one metadata file of the role below.
type meta struct {
	Digest  string `json:"digest"`
	Length  int64  `json:"length"` // bytes
	Version int64  `json:"version"`
}

func describe(version int64, file []byte) *meta {
	return &meta{Digest: digestOf(file), Length: int64(len(file)), Version: version}
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return digestPrefix + hex.EncodeToString(sum[:])
}

func checkDigest(d string) error {
	x, ok := strings.CutPrefix(d, digestPrefix)
	if !ok || len(x) != 2*sha256.Size || !only(x, "0123456789abcdef") {
		return malformed("digest %q: want sha256: and 64 lower-case hexadecimal digits", d)
	}
	return nil
}

// check refuses a length over the limits before anything is fetched.
func (m *meta) check(r Role) error {
	if err := checkDigest(m.Digest); err != nil {
		return err
	}
	if m.Version < 1 || m.Version > MaxVersion {
		return malformed("%s of version %d: want 1 to %d", r, m.Version, int64(MaxVersion))
	}
	if m.Length < 1 {
		return malformed("%s of %d bytes", r, m.Length)
	}
	if m.Length > r.maxFile() {
		return &Error{Reason: ReasonEndless, Detail: fmt.Sprintf("%s of %d bytes: the limit is %d", r, m.Length, r.maxFile())}
	}
	return nil
}

func (m *meta) names(file []byte) bool {
	return int64(len(file)) == m.Length && digestOf(file) == m.Digest
}

// refuse says what a file is that m does not name.
func (m *meta) refuse(name string, file []byte) error {
	if int64(len(file)) < m.Length {
		if _, err := dsse.Decode(file); err != nil {
			return &Error{Reason: ReasonTruncated, File: name, Detail: fmt.Sprintf("%d bytes of %d", len(file), m.Length)}
		}
	}
	return &Error{Reason: ReasonMixed, File: name, Detail: fmt.Sprintf("expected %s, content is %s", m.Digest, digestOf(file))}
}

// follows compares what two versions of the role above say about this role.
func (m *meta) follows(old *meta, file string, r Role) error {
	switch {
	case m.Version < old.Version:
		return &Error{Reason: ReasonRollback, File: file, Detail: fmt.Sprintf("it names %s version %d, version %d was seen", r, m.Version, old.Version)}
	case m.Version == old.Version && *m != *old:
		return &Error{Reason: ReasonEquivocation, File: file, Detail: fmt.Sprintf("it names %s version %d as %s, which was %s", r, m.Version, m.Digest, old.Digest)}
	}
	return nil
}

// timestamp names the newest snapshot.
type timestamp struct {
	//lint:ignore SA5008 an option of encoding/json/v2
	header   `json:",embed"`
	Snapshot *meta `json:"snapshot"`
}

func (t *timestamp) check() error {
	if err := t.checkHeader(); err != nil {
		return err
	}
	if t.Snapshot == nil {
		return &Error{Reason: ReasonDeleted, Detail: "it names no snapshot"}
	}
	return t.Snapshot.check(RoleSnapshot)
}

// snapshot names the targets metadata that belong together with it.
type snapshot struct {
	//lint:ignore SA5008 an option of encoding/json/v2
	header  `json:",embed"`
	Targets *meta `json:"targets"`
}

func (s *snapshot) check() error {
	if err := s.checkHeader(); err != nil {
		return err
	}
	if s.Targets == nil {
		return &Error{Reason: ReasonDeleted, Detail: "it names no targets"}
	}
	return s.Targets.check(RoleTargets)
}
