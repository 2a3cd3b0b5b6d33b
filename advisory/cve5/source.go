package cve5

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/internal/fault"
)

// Name is the source's name.
const Name = "cve5"

const (
	repository = "CVEProject/cvelistV5"
	raw        = "https://raw.githubusercontent.com/" + repository + "/main/"
	logURL     = raw + "cves/deltaLog.json"
)

// Source is the CVE program's list. The zero value is ready.
type Source struct{}

// Describe says what the source is.
func (s Source) Describe() advisory.Description {
	return advisory.Description{
		Name: Name, Title: "CVE Program", Home: "https://www.cve.org",
		License: "LicenseRef-CVE-Terms-of-Use", Redistribute: true,
		Attribution: "CVE records are copyright of The MITRE Corporation and used under https://www.cve.org/Legal/TermsOfUse.",
		Hosts:       []string{"codeload.github.com", "raw.githubusercontent.com"},
	}
}

// errGap says that the log begins later than what is known ends.
var errGap = errors.New("the log of changes does not reach back far enough")

// Fetch passes on all records, and later those that changed; see
// [advisory.Source].
func (s Source) Fetch(ctx context.Context, door advisory.Door, state []byte, emit func(*advisory.Document) error) (*advisory.Fetched, error) {
	bulk := feed.GitHub(Name, repository, "main", isRecord)
	index := feed.Index{Source: Name, URL: logURL, Bulk: &bulk, MaxDocument: MaxBytes}
	known, err := time.Parse(time.RFC3339, feed.ReadState(state)[logURL].Cursor)
	if err == nil {
		index.Entries = func(list []byte) ([]feed.Entry, error) { return entries(list, known) }
		out, err := index.Fetch(ctx, door, state, emit)
		if !errors.Is(err, errGap) {
			return out, err
		}
	}
	index.Entries = func(list []byte) ([]feed.Entry, error) { return entries(list, time.Time{}) }
	return index.Fetch(ctx, door, nil, emit)
}

// isRecord reports whether a file of the repository is a record.
func isRecord(name string) bool {
	file := name[strings.LastIndexByte(name, '/')+1:]
	id, ok := strings.CutSuffix(file, ".json")
	return ok && feedtext.IsCVE(id) && name == fileName(id)
}

// fileName returns "cves/2024/3xxx/CVE-2024-3094.json" for an id.
func fileName(id string) string {
	year, number := id[len("CVE-"):len("CVE-2024")], id[len("CVE-2024-"):]
	thousands := strings.TrimLeft(number[:len(number)-3], "0")
	if thousands == "" {
		thousands = "0"
	}
	return "cves/" + year + "/" + thousands + "xxx/" + id + ".json"
}

// entries reads the log: a list of what changed at each time. An error wraps
// errGap where it begins after known, which is when it was read last.
func entries(list []byte, known time.Time) ([]feed.Entry, error) {
	type change struct {
		ID string `json:"cveId"`
	}
	var log []struct {
		Time    string   `json:"fetchTime"`
		New     []change `json:"new"`
		Updated []change `json:"updated"`
	}
	if err := json.Unmarshal(list, &log); err != nil {
		return nil, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	var out []feed.Entry
	oldest := time.Time{}
	for i, step := range log {
		at, err := time.Parse(time.RFC3339, step.Time)
		if err != nil {
			return nil, fmt.Errorf("step %s: the time %.40q is not of RFC 3339: %w", strconv.Itoa(i), step.Time, fault.Invalid)
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
		for _, c := range append(step.New, step.Updated...) {
			if !feedtext.IsCVE(c.ID) {
				return nil, fmt.Errorf("step %s: %.80q is no CVE id: %w", strconv.Itoa(i), c.ID, fault.Invalid)
			}
			name := fileName(c.ID)
			out = append(out, feed.Entry{Name: name, URL: raw + name, Modified: step.Time})
		}
	}
	if !known.IsZero() && oldest.After(known) {
		return nil, fmt.Errorf("it begins at %s, and is known to %s: %w", oldest.Format(time.RFC3339), known.Format(time.RFC3339), errGap)
	}
	return out, nil
}
