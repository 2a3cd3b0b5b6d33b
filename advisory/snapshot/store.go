package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
)

// Store is a folder of snapshots, of which one is current. Files in it are
// replaced only by renaming, so that readers and writers in several processes
// do not disturb each other; of two imports at once the later one wins.
//
// The folder holds <sha256>.snapshot files, <sha256>.json files that say how
// each was made, and the file "current", which names one.
type Store struct {
	// Dir is the folder; Import makes it where it is absent, for the user alone.
	Dir string
}

const (
	currentName = "current"
	suffix      = ".snapshot"
	reportName  = ".json"
	maxReport   = 256 << 20 // bytes of a report
)

// Import builds a snapshot of records and makes it current; see [Build] for
// broken records. The result is kept beside the snapshot. Where it fails, the
// snapshot that was current still is. Snapshots older than the one that was
// current are removed.
func (s Store) Import(records iter.Seq2[*advisory.Record, error]) (*Result, error) {
	result, err := s.build(records)
	if err != nil {
		return nil, fmt.Errorf("import advisories into %s: %w", s.Dir, err)
	}
	return result, nil
}

func (s Store) build(records iter.Seq2[*advisory.Record, error]) (*Result, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, err
	}
	var result *Result
	temporary, err := durable.Temporary(s.Dir, func(w io.Writer) (err error) {
		result, err = Build(w, records)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer os.Remove(temporary) // after the renaming there is no such file
	if result.Records == 0 {
		return nil, fmt.Errorf("there is no usable record among %d: %w", len(result.Broken), fault.Invalid)
	}
	previous, err := s.current()
	if err != nil && !errors.Is(err, fault.NotFound) {
		previous = "" // a damaged pointer is replaced
	}
	report, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return nil, err
	}
	name := strings.TrimPrefix(result.Digest, "sha256:")
	if err := durable.Rename(temporary, filepath.Join(s.Dir, name+suffix)); err != nil {
		return nil, err
	}
	if err := durable.Replace(filepath.Join(s.Dir, name+reportName), durable.Bytes(append(report, '\n'))); err != nil {
		return nil, err
	}
	return result, s.point(result.Digest, previous)
}

// point makes a snapshot that is there the current one.
func (s Store) point(digest, previous string) error {
	if err := durable.Replace(filepath.Join(s.Dir, currentName), durable.Bytes([]byte(digest+"\n"))); err != nil {
		return err
	}
	return s.prune(digest, previous)
}

// prune removes snapshots that are not of the kept digests.
func (s Store) prune(keep ...string) error {
	files, err := os.ReadDir(s.Dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		base, isSnapshot := strings.CutSuffix(f.Name(), suffix)
		if !isSnapshot {
			base, isSnapshot = strings.CutSuffix(f.Name(), reportName)
		}
		if !isSnapshot || !isHex(base) || base == strings.TrimPrefix(keep[0], "sha256:") || base == strings.TrimPrefix(keep[1], "sha256:") {
			continue
		}
		if err := os.Remove(filepath.Join(s.Dir, f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func isHex(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size
}

// current returns the digest of the current snapshot.
func (s Store) current() (string, error) {
	text, err := os.ReadFile(filepath.Join(s.Dir, currentName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s has no advisory data yet: %w", s.Dir, fault.NotFound)
	}
	if err != nil {
		return "", err
	}
	digest := strings.TrimSpace(string(text))
	if hex, ok := strings.CutPrefix(digest, "sha256:"); !ok || !isHex(hex) {
		return "", fmt.Errorf("%s is not a digest: %w", filepath.Join(s.Dir, currentName), fault.Invalid)
	}
	return digest, nil
}

// Open opens the current snapshot. An error wraps [ErrNotFound] where the store
// has none, and [ErrMismatch] where the file is not what it is named.
func (s Store) Open() (*Snapshot, error) {
	digest, err := s.current()
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	path := s.path(digest)
	snap, err := Open(path)
	if err != nil {
		return nil, err
	}
	if snap.Digest() != digest {
		snap.Close()
		return nil, fmt.Errorf("open snapshot %s: %w", path, &fault.MismatchError{What: "digest", Want: digest, Got: snap.Digest()})
	}
	return snap, nil
}

func (s Store) path(digest string) string {
	return filepath.Join(s.Dir, strings.TrimPrefix(digest, "sha256:")+suffix)
}

// Status is what a store has.
type Status struct {
	Path     string    `json:"path"`     // of the current snapshot's file
	Imported time.Time `json:"imported"` // when the file was written
	Result
	Segments []Segment `json:"segments"`
	Overlays []Overlay `json:"overlays,omitempty"`
	Sources  []Origin  `json:"sources,omitempty"`
}

// Status says what the current snapshot is. Errors are those of Open.
func (s Store) Status() (*Status, error) {
	snap, err := s.Open()
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	st := &Status{Path: s.path(snap.Digest()), Segments: snap.Manifest().Segments, Overlays: snap.Manifest().Overlays, Sources: snap.Manifest().Sources}
	info, err := os.Stat(st.Path)
	if err != nil {
		return nil, fmt.Errorf("read the status of %s: %w", s.Dir, err)
	}
	st.Imported = info.ModTime().UTC()
	report := filepath.Join(s.Dir, strings.TrimPrefix(snap.Digest(), "sha256:")+reportName)
	text, err := readLimited(report)
	if err == nil {
		err = json.Unmarshal(text, &st.Result)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the status of %s: %s: %w", s.Dir, report, err)
	}
	if err != nil { // the snapshot was not imported here
		for _, g := range st.Segments {
			st.Records += g.Records
			st.Withdrawn += g.Withdrawn
		}
	}
	st.Digest, st.Size, st.Ecosystems = snap.Digest(), info.Size(), snap.Ecosystems()
	return st, nil
}

func readLimited(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxReport {
		return nil, &fault.LimitError{What: "bytes", Where: path, Max: maxReport, Seen: info.Size()}
	}
	return os.ReadFile(path)
}
