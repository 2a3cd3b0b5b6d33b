package bundle

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/stella-ops/stella/internal/fault"
)

// check says what keeps b from being a bundle of any version.
func (b *Bundle) check() error {
	switch {
	case b.Envelope == nil && b.Message == nil:
		return invalid("neither an envelope nor a message signature")
	case b.Envelope != nil && b.Message != nil:
		return invalid("both an envelope and a message signature")
	case b.Message != nil:
		if err := b.Message.check(); err != nil {
			return err
		}
	case len(b.Envelope.Signatures) != 1:
		return invalid("the envelope has %d signatures, want one", len(b.Envelope.Signatures))
	}
	if err := b.Material.check(); err != nil {
		return err
	}
	if b.Envelope != nil && b.Material.KeyHint != "" {
		if id := b.Envelope.Signatures[0].KeyID; id != "" && id != b.Material.KeyHint {
			return invalid("key hint %.80q, but the envelope's key id is %.80q", b.Material.KeyHint, id)
		}
	}
	return nil
}

func (m *MessageSignature) check() error {
	switch {
	case len(m.Signature) == 0:
		return invalid("messageSignature: signature is missing")
	case m.Algorithm == 0 && len(m.Digest) > 0:
		return invalid("messageSignature: a digest without an algorithm")
	case m.Algorithm == 0:
		return nil
	case nameOf(m.Algorithm) == "":
		return fmt.Errorf("bundle: messageSignature: hash %d: want SHA-256, SHA-384 or SHA-512: %w", uint(m.Algorithm), fault.Unsupported)
	case len(m.Digest) != m.Algorithm.Size():
		return invalid("messageSignature: %s digest of %d bytes", nameOf(m.Algorithm), len(m.Digest))
	}
	return nil
}

func (m *VerificationMaterial) check() error {
	switch {
	case len(m.Certificates) > MaxCerts:
		return tooMany("certificates", MaxCerts, len(m.Certificates))
	case len(m.Certificates) > 0 && m.KeyHint != "":
		return invalid("both certificates and a key hint")
	case len(m.KeyHint) > MaxHint:
		return tooMany("bytes of a key hint", MaxHint, len(m.KeyHint))
	case !utf8.ValidString(m.KeyHint):
		return invalid("the key hint is not UTF-8")
	case len(m.Entries) > MaxEntries:
		return tooMany("log entries", MaxEntries, len(m.Entries))
	case len(m.Timestamps) > MaxTimestamps:
		return tooMany("timestamps", MaxTimestamps, len(m.Timestamps))
	}
	for i, c := range m.Certificates {
		if err := sized(fmt.Sprintf("certificate %d", i), "bytes of a certificate", MaxCertificate, len(c)); err != nil {
			return err
		}
	}
	for i := range m.Entries {
		if err := m.Entries[i].check(fmt.Sprintf("log entry %d", i)); err != nil {
			return err
		}
		if j := slices.IndexFunc(m.Entries[:i], m.Entries[i].same); j >= 0 {
			return invalid("log entries %d and %d are the same, index %d of one log", j, i, m.Entries[i].LogIndex)
		}
	}
	for i, t := range m.Timestamps {
		if err := sized(fmt.Sprintf("timestamp %d", i), "bytes of a timestamp", MaxTimestamp, len(t)); err != nil {
			return err
		}
	}
	return nil
}

// same reports whether two entries are one: counted twice, it would do for two logs.
func (e *Entry) same(other Entry) bool {
	return e.LogIndex == other.LogIndex && bytes.Equal(e.LogID, other.LogID)
}

// check says what keeps e from being an entry of a bundle of any version.
func (e *Entry) check(what string) error {
	switch {
	case e.LogIndex < 0:
		return invalid("%s: log index %d", what, e.LogIndex)
	case e.Promise.IntegratedTime < 0:
		return invalid("%s: integrated time %d", what, e.Promise.IntegratedTime)
	case len(e.Promise.SignedEntryTimestamp) > MaxPromise:
		return tooMany("bytes of an inclusion promise", MaxPromise, len(e.Promise.SignedEntryTimestamp))
	case !utf8.ValidString(e.Kind) || !utf8.ValidString(e.Version):
		return invalid("%s: kind %q %q is not UTF-8", what, e.Kind, e.Version)
	}
	for _, part := range []struct {
		name, what string
		most, seen int
	}{
		{"log id", "bytes of a log id", MaxLogID, len(e.LogID)},
		{"kind", "bytes of an entry's kind", MaxName, len(e.Kind)},
		{"version", "bytes of an entry's version", MaxName, len(e.Version)},
		{"canonicalized body", "bytes of an entry's body", MaxBody, len(e.Body)},
	} {
		if err := sized(what+": "+part.name, part.what, part.most, part.seen); err != nil {
			return err
		}
	}
	return e.Proof.check(what)
}

func (p *Proof) check(what string) error {
	switch {
	case p == nil:
		return nil
	case p.LogIndex < 0:
		return invalid("%s: log index %d of the inclusion proof", what, p.LogIndex)
	case p.TreeSize < 1:
		return invalid("%s: tree size %d", what, p.TreeSize)
	case len(p.Hashes) > MaxHashes:
		return tooMany("hashes of an inclusion proof", MaxHashes, len(p.Hashes))
	case !utf8.ValidString(p.Checkpoint):
		return invalid("%s: the checkpoint is not UTF-8", what)
	}
	return sized(what+": checkpoint", "bytes of a checkpoint", MaxCheckpoint, len(p.Checkpoint))
}

// sized refuses what is missing or too large.
func sized(name, quantity string, most, seen int) error {
	switch {
	case seen == 0:
		return invalid("%s is missing or empty", name)
	case seen > most:
		return tooMany(quantity, most, seen)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("bundle: %s: %w", fmt.Sprintf(format, args...), fault.Invalid)
}

func tooMany(what string, limit, seen int) error {
	return &fault.LimitError{What: what, Where: "bundle", Max: int64(limit), Seen: int64(seen)}
}
