package retrieve

import (
	"fmt"
	"strings"

	"github.com/stella-ops/stella/internal/csaf/provider"
	"github.com/stella-ops/stella/internal/door"
	"github.com/stella-ops/stella/internal/fault"
)

// lists returns the lists of the source: those that are given, or what the metadata
// name: the feeds that everybody may read, or else the folders.
func (r *run) lists() (out []*list, err error) {
	given := r.source.Lists
	if r.source.Metadata != "" {
		if given, err = r.discover(); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for _, l := range given {
		if !seen[l.URL] {
			seen[l.URL] = true
			out = append(out, &list{List: l})
		}
	}
	return out, nil
}

func (r *run) discover() (out []List, err error) {
	at := r.source.Metadata
	text, _, err := r.read(door.Request{URL: at, Max: provider.DefaultBytes})
	if err != nil {
		return nil, err
	}
	m, err := provider.ParseMetadata(text, nil)
	if err == nil {
		err = m.CheckCanonical(at)
	}
	if err == nil {
		err = checkNamespace(m.Publisher.Namespace, r.source.Namespace)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", at, err)
	}
	for _, f := range m.Feeds() {
		if provider.CheckLabel(strings.TrimPrefix(f.Label, provider.Unlabeled), "", true) == nil {
			out = append(out, List{URL: f.URL, Label: f.Label, Required: m.Trusted()})
		}
	}
	if len(m.Feeds()) == 0 { // else they have the same documents
		for _, d := range m.Directories() {
			l := Folder(d, ".sha512", ".sha256")
			l.Required, l.Signed = m.Trusted(), m.Trusted()
			out = append(out, l)
		}
	}
	switch {
	case len(out) == 0:
		return nil, fmt.Errorf("read %s: it names neither a folder nor a feed that everybody may read: %w", at, fault.Invalid)
	case len(out) > MaxLists:
		return nil, fmt.Errorf("read: %w", &fault.LimitError{What: "feeds and folders", Where: at, Max: MaxLists, Seen: int64(len(out))})
	}
	return out, nil
}

// checkNamespace holds a publisher's namespace against the one that is trusted.
func checkNamespace(got, want string) error {
	if got = strings.TrimSuffix(got, "/"); got != want || got == "" {
		return &fault.MismatchError{What: "publisher's namespace", Want: want, Got: got}
	}
	return nil
}
