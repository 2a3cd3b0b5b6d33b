package mirror

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/attest/role"
	"github.com/stella-ops/stella/internal/durable"
	"github.com/stella-ops/stella/internal/fault"
)

const (
	stateName   = "publisher.json"
	historyName = "history.json"
)

// advance makes a state the publisher's, and then its files those of Dir. Whoever
// publishes after a crash in between follows this state: no version is signed twice.
func (p *Publisher) advance(s role.State) error {
	text, err := s.Encode()
	if err != nil {
		return err
	}
	if err := p.replace(stateName, text, 0o600); err != nil {
		return err
	}
	_, err = p.finish(s)
	return err
}

// finish writes what Dir does not have of a state that was kept, timestamp last. It
// reports whether the state's release is there: one is left alone that the root's
// holders no longer sign, or whose contents are not there.
func (p *Publisher) finish(s role.State) (bool, error) {
	root, err := role.DecodeRoot(s.Root)
	if err != nil {
		return false, err
	}
	if err := p.ensure(role.File(role.RoleRoot, root.Version), s.Root); err != nil {
		return false, err
	}
	if whole, err := p.whole(s); !whole {
		return false, err
	}
	for _, x := range []struct {
		role role.Role
		file []byte
	}{{role.RoleTargets, s.Targets}, {role.RoleSnapshot, s.Snapshot}, {role.RoleTimestamp, s.Timestamp}} {
		version, err := versionOf(x.file)
		if err != nil {
			return false, err
		}
		if err := p.ensure(role.File(x.role, version), x.file); err != nil {
			return false, err
		}
	}
	return true, nil
}

// whole reports whether a state holds a release and Dir its contents.
func (p *Publisher) whole(s role.State) (bool, error) {
	release, err := s.Release(longAgo)
	if role.ReasonOf(err) != "" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, t := range release.Targets {
		if !p.has(t) {
			return false, nil
		}
	}
	return true, nil
}

// versionOf reads the version of metadata that were verified.
func versionOf(file []byte) (int64, error) {
	envelope, err := dsse.Decode(file)
	if err != nil {
		return 0, err
	}
	var head struct {
		Version int64 `json:"version"`
	}
	if err := json.Unmarshal(envelope.Payload, &head); err != nil {
		return 0, fmt.Errorf("read the version of metadata: %v: %w", err, fault.Invalid)
	}
	return head.Version, nil
}

// ensure writes a file, if it is not there.
func (p *Publisher) ensure(name string, data []byte) error {
	if there, err := os.ReadFile(filepath.Join(p.Dir, name)); err == nil && bytes.Equal(there, data) {
		return nil
	}
	return p.write(name, data)
}

// write writes a file for the server that serves it.
func (p *Publisher) write(name string, data []byte) error { return p.replace(name, data, 0o644) }

func (p *Publisher) replace(name string, data []byte, mode fs.FileMode) error {
	if p.before != nil {
		if err := p.before(name); err != nil {
			return err
		}
	}
	path := filepath.Join(p.Dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary, err := durable.Temporary(filepath.Dir(path), durable.Bytes(data))
	if err != nil {
		return err
	}
	if err := os.Chmod(temporary, mode); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return durable.Rename(temporary, path)
}

// has reports whether the content of a target is there.
func (p *Publisher) has(t role.Target) bool {
	info, err := os.Stat(p.content(t.Digest))
	return err == nil && info.Size() == t.Length
}

// content is the path of a content by its digest.
func (p *Publisher) content(digest string) string {
	return filepath.Join(p.Dir, "sha256", hexOf(digest))
}

func (p *Publisher) state() (role.State, error) {
	text, err := os.ReadFile(filepath.Join(p.Dir, stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return role.State{}, fmt.Errorf("%s is not a mirror: %w", p.Dir, fault.NotFound)
	}
	if err != nil {
		return role.State{}, err
	}
	return role.DecodeState(text)
}

func (p *Publisher) history() (list []release, err error) {
	text, err := os.ReadFile(filepath.Join(p.Dir, historyName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	return list, err
}

func (p *Publisher) keepHistory(list []release) error {
	text, err := json.Marshal(list, json.Deterministic(true))
	if err != nil {
		return err
	}
	return p.replace(historyName, text, 0o600)
}

// prune removes contents that neither the release nor the history names, and what a
// crash has left of them.
func (p *Publisher) prune(history []release, targets []role.Target) error {
	keep := map[string]bool{}
	for _, t := range targets {
		keep[hexOf(t.Digest)] = true
	}
	for _, r := range history {
		keep[hexOf(r.Manifest)] = true
		for _, file := range r.Files {
			keep[hexOf(file)] = true
		}
	}
	files, err := os.ReadDir(filepath.Join(p.Dir, "sha256"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if keep[f.Name()] || strings.HasPrefix(f.Name(), ".") && !strings.HasPrefix(f.Name(), ".tmp-") {
			continue
		}
		if err := os.Remove(filepath.Join(p.Dir, "sha256", f.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
