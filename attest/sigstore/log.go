package sigstore

import (
	"bytes"
	"encoding/hex"
	"strings"
	"time"

	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	formats "github.com/transparency-dev/formats/log"
	sumdb "golang.org/x/mod/sumdb/note"
)

// oneEntry shows the library a bundle with one of its entries, so that an error
// is about that one, and what verified is known.
type oneEntry struct {
	*bundle.Bundle
	entry *tlog.Entry
}

// TlogEntries returns the entry.
func (e *oneEntry) TlogEntries() ([]*tlog.Entry, error) { return []*tlog.Entry{e.entry}, nil }

// checkLogs checks every entry of a log that the trust root names.
func (s *verification) checkLogs() error {
	entries, err := s.bundle.TlogEntries()
	if err != nil {
		return refuse(ReasonMalformed, err, "log entries")
	}
	unknown := 0
	for i, entry := range entries {
		log, ok := s.logs[entry.LogKeyID()]
		if !ok {
			unknown++
			continue
		}
		if err := s.checkEntry(i, entry, log); err != nil {
			return err
		}
	}
	if n := len(s.logKeys); n < s.opts.Logs {
		return refuse(ReasonUnlogged, nil, "of %d logs, want %d; %d entries are of logs that nobody named", n, s.opts.Logs, unknown)
	}
	return nil
}

func (s *verification) checkEntry(i int, entry *tlog.Entry, log *Log) error {
	e := entry.TransparencyLogEntry()
	cp, err := agree(i, entry)
	if err != nil {
		return err
	}
	times, err := verify.VerifyTlogEntry(&oneEntry{s.bundle, entry}, s.trusted, 1, true)
	if err != nil {
		return s.diagnose(i, entry, log, err)
	}
	for _, t := range times {
		s.out.Times = append(s.out.Times, SignedTime{At: t.Time.UTC(), Source: SourceLog, URL: log.URL})
		s.sources[log.keyHash()] = true
	}
	s.logKeys[log.keyHash()] = log
	out := Entry{Log: log.URL, ID: e.GetLogId().GetKeyId(), Index: e.GetLogIndex(), Kind: e.GetKindVersion().GetKind() + " " + e.GetKindVersion().GetVersion()}
	if cp != nil {
		out.Size, out.Root = int64(cp.Size), cp.Hash
	}
	s.out.Entries = append(s.out.Entries, out)
	return nil
}

// agree checks that the numbers of an entry that the library takes from the bundle,
// or leaves aside, are those of the checkpoint. It returns the checkpoint, whose
// signature is not verified here, or nil where there is no proof.
func agree(i int, entry *tlog.Entry) (*formats.Checkpoint, error) {
	e := entry.TransparencyLogEntry()
	if e.GetIntegratedTime() != 0 && !entry.HasInclusionPromise() {
		return nil, refuse(ReasonPromise, nil, "entry %d has a time that nobody signed", i)
	}
	p := e.GetInclusionProof()
	if p == nil {
		return nil, nil
	}
	if entry.IsRekorV2() && p.GetLogIndex() != e.GetLogIndex() {
		return nil, refuse(ReasonProof, nil, "entry %d: index %d, its proof %d", i, e.GetLogIndex(), p.GetLogIndex())
	}
	cp := &formats.Checkpoint{}
	if _, err := cp.Unmarshal([]byte(p.GetCheckpoint().GetEnvelope())); err != nil {
		return nil, refuse(ReasonCheckpoint, err, "entry %d", i)
	}
	if cp.Size != uint64(p.GetTreeSize()) || !bytes.Equal(cp.Hash, p.GetRootHash()) {
		return nil, refuse(ReasonCheckpoint, nil, "entry %d: it is of another tree than the inclusion proof", i)
	}
	return cp, nil
}

// diagnose names why the library refused an entry. Whatever it finds, the entry
// stays refused.
func (s *verification) diagnose(i int, entry *tlog.Entry, log *Log, cause error) error {
	e := entry.TransparencyLogEntry()
	if !entry.HasInclusionPromise() && !entry.HasInclusionProof() {
		return refuse(ReasonProof, cause, "entry %d has none", i)
	}
	if entry.HasInclusionPromise() && tlog.VerifySET(entry, s.material.RekorLogs()) != nil {
		return refuse(ReasonPromise, cause, "entry %d", i)
	}
	if entry.HasInclusionProof() {
		if known := s.material.RekorLogs()[hex.EncodeToString(e.GetLogId().GetKeyId())]; !signedBy(e.GetInclusionProof().GetCheckpoint().GetEnvelope(), log, known, entry.IsRekorV2()) {
			return refuse(ReasonCheckpoint, cause, "entry %d", i)
		}
	}
	if at := entry.IntegratedTime(); !at.IsZero() && !s.signer.ValidAtTime(at, s.trusted) {
		return refuse(ReasonExpired, cause, "entry %d is of %s", i, at.UTC().Format(time.RFC3339))
	}
	return refuse(ReasonEntry, cause, "entry %d", i)
}

// signedBy reports whether a checkpoint has a signature of the log. Rekor v1 signs
// under a name that is not the origin, so there the first line's name is taken.
func signedBy(checkpoint string, log *Log, known *root.TransparencyLog, v2 bool) bool {
	name := log.Origin()
	if !v2 {
		_, sigs, _ := strings.Cut(checkpoint, "\n\n\u2014 ")
		name, _, _ = strings.Cut(sigs, " ")
	}
	kv, err := signature.LoadVerifier(known.PublicKey, known.SignatureHashFunc)
	if err != nil {
		return false
	}
	nv, err := note.NewNoteVerifier(name, kv)
	if err != nil {
		return false
	}
	if !v2 {
		_, err = sumdb.Open([]byte(checkpoint), sumdb.VerifierList(nv))
		return err == nil
	}
	_, _, _, err = formats.ParseCheckpoint([]byte(checkpoint), name, nv)
	return err == nil
}
