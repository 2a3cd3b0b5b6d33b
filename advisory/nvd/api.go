package nvd

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/internal/fault"
)

const (
	pageSize = 2000
	// window is the longest time between the two ends of a question about what
	// was modified, and what the API allows is 120 days.
	window = 119 * 24 * time.Hour
	// overlap is how much of what is known already is asked for again: the API's
	// answers lag behind, and its times are of no certain zone.
	overlap = 6 * time.Hour
	// passes is how often the whole is read, where it changes while it is read
	// so that some of it may be missing.
	passes = 3
	// stamp is the form of the API's times.
	stamp = "2006-01-02T15:04:05.000-07:00"
)

// apiState is the state after a run: everything up to a time of NVD's clock is
// known.
type apiState struct {
	Until string `json:"until"` // RFC 3339
}

// api asks the API.
func (r *run) api(state []byte) (*advisory.Fetched, error) {
	var known apiState
	if json.Unmarshal(state, &known) != nil {
		known = apiState{}
	}
	since, err := time.Parse(time.RFC3339, known.Until)
	if err != nil {
		return r.everything()
	}
	return r.modified(since)
}

// everything reads all pages. CVEs that are added meanwhile come at the end; if
// some may have been passed by, it reads them once more.
func (r *run) everything() (*advisory.Fetched, error) {
	began := ""
	for range passes {
		first, last, err := r.pages(nil)
		if err != nil {
			return nil, err
		}
		if began == "" {
			began = first.Timestamp
		}
		if last.Total == 0 {
			return nil, fmt.Errorf("fetch %s: it has no CVE: %w", r.address(), fault.Invalid)
		}
		if len(r.seen) >= last.Total {
			return fetched(began, true, false)
		}
	}
	return nil, fmt.Errorf("fetch %s: it changes too fast to be read as a whole: %w", r.address(), fault.Unavailable)
}

// modified reads what was modified since then, window by window.
func (r *run) modified(since time.Time) (*advisory.Fetched, error) {
	now := time.Now
	if r.Now != nil {
		now = r.Now
	}
	end, began := now(), ""
	for from := since.Add(-overlap); from.Before(end) || began == ""; from = from.Add(window) {
		to := from.Add(window)
		if to.After(end) {
			to = end
		}
		if !to.After(from) {
			to = from.Add(overlap) // our clock is behind NVD's
		}
		first, _, err := r.pages(url.Values{
			"lastModStartDate": {from.UTC().Format(stamp)},
			"lastModEndDate":   {to.UTC().Format(stamp)},
		})
		if err != nil {
			return nil, err
		}
		if began == "" {
			began = first.Timestamp
		}
	}
	if next := feedtext.Time(began); next < since.UTC().Format(time.RFC3339) {
		began = since.UTC().Format(time.RFC3339) // never go back
	}
	return fetched(began, false, len(r.seen) == 0)
}

// fetched makes the outcome of a run whose first answer was made at a time.
func fetched(began string, complete, unchanged bool) (*advisory.Fetched, error) {
	state, err := json.Marshal(apiState{Until: feedtext.Time(began)})
	if err != nil {
		return nil, fmt.Errorf("write the state of NVD: %v: %w", err, fault.Invalid)
	}
	return &advisory.Fetched{State: state, Complete: complete, Unchanged: unchanged}, nil
}

// pages reads all pages of one question, however many they become meanwhile.
func (r *run) pages(question url.Values) (first, last pageInfo, err error) {
	size := r.PageSize
	if size <= 0 {
		size = pageSize
	}
	for start := 0; ; start += last.Size {
		last, err = r.page(question, start, size)
		switch {
		case err != nil:
			return first, last, err
		case start == 0:
			first = last
		}
		switch {
		case last.Total > MaxRecords:
			return first, last, fmt.Errorf("fetch: %w", &fault.LimitError{What: "CVEs", Where: r.address(), Max: MaxRecords, Seen: int64(last.Total)})
		case start+last.Size >= last.Total:
			return first, last, nil
		case last.Size == 0:
			return first, last, fmt.Errorf("fetch %s: the page from %d on of %d is empty: %w", r.address(), start, last.Total, fault.Unavailable)
		}
	}
}

// page reads one page.
func (r *run) page(question url.Values, start, size int) (pageInfo, error) {
	q := url.Values{"startIndex": {strconv.Itoa(start)}, "resultsPerPage": {strconv.Itoa(size)}}
	for k, v := range question {
		q[k] = v
	}
	content, resp, err := r.read(r.address() + "?" + q.Encode())
	if err != nil {
		return pageInfo{}, err
	}
	page, err := r.split(bytes.NewReader(content), resp.URL)
	switch {
	case err != nil:
		return page, fmt.Errorf("fetch %s: %w", resp.URL, err)
	case page.Start != start:
		return page, fmt.Errorf("fetch %s: the page is from %d on, not from %d: %w", resp.URL, page.Start, start, fault.Invalid)
	}
	return page, nil
}

// read reads one answer.
func (r *run) read(address string) ([]byte, *advisory.Response, error) {
	if err := context.Cause(r.ctx); err != nil {
		return nil, nil, err
	}
	content, resp, err := feed.Read(r.ctx, r.door, advisory.Request{URL: address, Max: MaxPage})
	if err == nil && resp.NotModified {
		err = fmt.Errorf("fetch %s: the answer says unmodified to who knows nothing: %w", address, fault.Invalid)
	}
	return content, resp, err
}
