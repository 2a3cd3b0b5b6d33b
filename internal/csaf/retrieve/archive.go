package retrieve

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/door"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
)

// archiveName is the name of an archive of all documents, perhaps with the day on
// which it was made.
var archiveName = lazyre.New(`^[A-Za-z0-9_.-]*?(\d{4}-\d{2}-\d{2})?\.tar\.(zst|gz|bz2)$`)

// archive passes on the documents of a folder's archive. It returns what it does not
// have, or not as new, or with another digest.
func (r *run) archive(l *list) (rest []entry, err error) {
	address, made, err := r.newest(l)
	if err != nil || address == "" {
		return l.entries, err
	}
	file, resp, err := r.reader.Spool(r.ctx, door.Request{URL: address, Max: MaxArchive})
	if errors.Is(err, fault.NotFound) {
		return l.entries, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := r.verifyArchive(address, file.Digest); err != nil {
		return nil, err
	}
	if made.IsZero() {
		made = l.entries[len(l.entries)-1].at.Add(-7 * 24 * time.Hour)
		if at, err := http.ParseTime(resp.Modified); err == nil {
			made = at.Add(-24 * time.Hour)
		}
	}
	u := unpacking{run: r, list: l, where: resp.URL, wanted: map[string]*entry{}, most: min(MaxUnpacked, max(1<<20, file.Size*MaxRatio))}
	for i := range l.entries {
		if e := &l.entries[i]; !e.at.After(made) {
			u.wanted[e.path] = e
		}
	}
	if err := u.unpack(file); err != nil {
		return nil, err
	}
	for _, e := range l.entries {
		if !r.passed[e.name] {
			rest = append(rest, e)
		}
	}
	return rest, nil
}

// newest returns the address of the newest archive, "" for none, and a time at which
// it was surely not made yet, if its name tells.
func (r *run) newest(l *list) (address string, made time.Time, err error) {
	if l.Latest == "" {
		return l.Archive, made, nil
	}
	text, _, err := r.read(door.Request{URL: l.Latest, Max: 4 << 10})
	if errors.Is(err, fault.NotFound) {
		return "", made, nil
	}
	if err != nil {
		return "", made, err
	}
	name := strings.TrimSpace(string(text))
	m := archiveName.Get().FindStringSubmatch(name)
	if m == nil {
		return "", made, fmt.Errorf("read %s: %.80q is no name of an archive: %w", l.Latest, name, fault.Invalid)
	}
	if day, err := time.Parse(time.DateOnly, m[1]); err == nil {
		made = day.Add(-24 * time.Hour)
	}
	return l.Folder + name, made, nil
}

// verifyArchive holds an archive against the digest beside it, if there is one.
func (r *run) verifyArchive(address, got string) error {
	text, _, err := r.read(door.Request{URL: address + ".sha256", Max: MaxBeside})
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Forbidden) {
		return nil
	}
	if err != nil {
		return err
	}
	h, err := provider.ParseHash(pathBase(address)+".sha256", text)
	if err != nil {
		return fmt.Errorf("verify %s: %w: %w", address, err, fault.Mismatch)
	}
	if want := "sha256:" + h.Value; want != got {
		return fmt.Errorf("verify: %w", &fault.MismatchError{What: "digest of " + address, Want: want, Got: got})
	}
	return nil
}
