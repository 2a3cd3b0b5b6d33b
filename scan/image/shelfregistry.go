package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

const maxReferrerPages = 100

// errNoReferrersAPI says that a registry knows nothing of OCI distribution-spec 1.1.
var errNoReferrersAPI = errors.New("the registry has no referrers API")

func (s *session) where() Reference { return s.ref }

// referrers asks the API, or the tag where there is none.
func (s *session) referrers(ctx context.Context, digest string) ([]referrer, error) {
	list, err := s.listed(ctx, digest)
	if !errors.Is(err, errNoReferrersAPI) {
		return list, err
	}
	tag := referrersTag(digest)
	b, _, err := s.manifest(ctx, tag, "referrers "+tag, s.set.limits.Manifest)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return parseReferrers(b, "referrers "+tag, MaxReferrers)
}

// referrersTag is where clients keep referrers in a registry without the API (OCI
// distribution-spec 1.1, "Referrers Tag Schema").
func referrersTag(digest string) string {
	algorithm, encoded, _ := strings.Cut(digest, ":")
	return algorithm + "-" + encoded[:min(len(encoded), 64)]
}

// listed returns what the API lists. An error wraps errNoReferrersAPI where the
// registry has none.
func (s *session) listed(ctx context.Context, digest string) ([]referrer, error) {
	if s.tags.Load() {
		return nil, errNoReferrersAPI
	}
	path := "referrers/" + digest
	var out []referrer
	for page, query := 1, ""; ; page++ {
		b, h, err := s.page(ctx, path, query)
		switch {
		case page == 1 && isStatus(err, http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed):
			s.tags.Store(true)
			return nil, errNoReferrersAPI
		case err != nil:
			return nil, fmt.Errorf("referrers of %s: %w", digest, err)
		}
		more, err := parseReferrers(b, "referrers of "+digest, MaxReferrers)
		if err != nil {
			return nil, err
		}
		if out = append(out, more...); len(out) > MaxReferrers || page > maxReferrerPages {
			return nil, &fault.LimitError{What: "referrers", Where: digest, Max: MaxReferrers}
		}
		if query = next(h, s.base, "/v2/"+s.ref.Repository+"/"+path); query == "" {
			return out, nil
		}
	}
}

// page asks for one page of the API's answer.
func (s *session) page(ctx context.Context, path, query string) ([]byte, http.Header, error) {
	if query == "" {
		return s.read(ctx, path, http.Header{"Accept": {typeOCIIndex}}, s.set.limits.Manifest)
	}
	u := s.url(path)
	u.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", u.Path, fault.Invalid)
	}
	req.Header.Set("Accept", typeOCIIndex)
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("GET %s: %w", u.Path, wireError(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("GET %s: %w", u.Path, statusError(resp))
	}
	b, err := readLimited(resp.Body, path, s.set.limits.Manifest)
	return b, resp.Header, err
}

// next returns the query of the next page, "" where there is none. A page elsewhere
// is none: the path is ours, and only the query the registry's.
func next(h http.Header, base url.URL, path string) string {
	for _, link := range h.Values("Link") {
		target, params, ok := strings.Cut(strings.TrimSpace(link), ">")
		if !ok || !strings.HasPrefix(target, "<") || !strings.Contains(strings.ReplaceAll(params, " ", ""), `rel="next"`) {
			continue
		}
		base.Path = path
		u, err := base.Parse(target[1:])
		if err == nil && u.Host == base.Host && u.Path == path {
			return u.RawQuery
		}
	}
	return ""
}

// putManifests writes the manifests and has them listed among the referrers. A tag
// that leads to its manifest already is left alone: it may be one that cannot be moved.
func (s *session) putManifests(ctx context.Context, ms []*written, tag string) (string, error) {
	var unlisted []*written
	for _, m := range ms {
		id := m.Digest
		if tag != "" {
			id = tag
			old, _, err := s.manifest(ctx, tag, "manifest "+tag, s.set.limits.Manifest)
			if err != nil && !errors.Is(err, fault.NotFound) {
				return "", err
			}
			if bytes.Equal(old, m.raw) {
				continue
			}
		}
		h, err := s.putDocument(ctx, id, m.MediaType, m.raw, nil)
		if err != nil {
			return "", err
		}
		if m.subject != "" && h.Get("OCI-Subject") != m.subject {
			unlisted = append(unlisted, m)
		}
	}
	if len(unlisted) == 0 {
		return "", nil
	}
	return s.list(ctx, unlisted[0].subject, unlisted)
}

// list sees to it that referrers are listed by a registry that did not say that it
// does so: some have the API and do not say it.
func (s *session) list(ctx context.Context, subject string, ms []*written) (string, error) {
	for attempt := 1; ; attempt++ {
		all, err := s.listed(ctx, subject)
		if errors.Is(err, errNoReferrersAPI) {
			return s.listUnderTag(ctx, subject, ms)
		}
		if err != nil {
			return "", err
		}
		missing := slices.IndexFunc(ms, func(m *written) bool {
			return !slices.ContainsFunc(all, func(r referrer) bool { return r.Digest == m.Digest })
		})
		if missing < 0 {
			return "", nil
		}
		err = fmt.Errorf("referrers of %s: the registry has taken %s and does not list it: %w", subject, ms[missing].Digest, fault.Unavailable)
		if again, err := s.again(ctx, err, attempt); !again {
			return "", err
		}
	}
}
