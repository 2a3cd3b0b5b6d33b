package nvd

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/advisory/internal/jsonlist"
	"github.com/stella-ops/stella/internal/fault"
)

// pageInfo is what a page or feed says of itself.
type pageInfo struct {
	Size      int    // CVEs in it
	Start     int    // the place of its first in the whole
	Total     int    // CVEs in the whole
	Timestamp string // when it was made, in UTC
}

// split cuts a page or feed into its CVEs and passes each on as a document. url
// is where it was read from.
func (r *run) split(in io.Reader, url string) (pageInfo, error) {
	dec := jsontext.NewDecoder(in)
	page, n := pageInfo{Size: -1, Start: -1, Total: -1}, 0
	err := jsonlist.Object(dec, func(name string) error {
		var to any
		switch name {
		case "resultsPerPage":
			to = &page.Size
		case "startIndex":
			to = &page.Start
		case "totalResults":
			to = &page.Total
		case "timestamp":
			to = &page.Timestamp
		case "vulnerabilities":
			return jsonlist.Elements(dec, MaxRecords, func(value jsontext.Value, pointer string) error {
				n++
				return r.document(value, pointer, url)
			})
		default:
			return jsonlist.Bad(dec.SkipValue())
		}
		value, err := dec.ReadValue()
		if err != nil {
			return jsonlist.Bad(err)
		}
		return jsonlist.Decode(value, to, "/"+name)
	})
	if err == nil {
		err = jsonlist.End(dec)
	}
	switch {
	case err != nil:
		return page, err
	case page.Size < 0 || page.Start < 0 || page.Total < 0 || feedtext.Time(page.Timestamp) == "":
		return page, fmt.Errorf("it does not say which part of what it is, and when it was made: %w", fault.Invalid)
	case page.Size != n:
		return page, fmt.Errorf("it says that it has %d CVEs, and has %d: %w", page.Size, n, fault.Invalid)
	}
	return page, nil
}

// document passes one CVE on.
func (r *run) document(value jsontext.Value, pointer, url string) error {
	var e struct {
		CVE struct {
			ID string `json:"id"`
		} `json:"cve"`
	}
	if err := jsonlist.Decode(value, &e, pointer); err != nil {
		return err
	}
	if !feedtext.IsCVE(e.CVE.ID) {
		return fmt.Errorf("%s: %.80q is no CVE id: %w", pointer, e.CVE.ID, fault.Invalid)
	}
	doc := &advisory.Document{Source: Name, Name: documentName(e.CVE.ID), URL: url, Content: bytes.Clone(value), Signature: advisory.Unsigned}
	if err := context.Cause(r.ctx); err != nil {
		return err
	}
	if r.seen[doc.Name] {
		return nil // on two pages, as it was modified between them: the next run has it
	}
	r.seen[doc.Name] = true
	r.refused = r.emit(doc)
	return r.refused
}

// documentName returns "2024/CVE-2024-3094.json" for an id.
func documentName(id string) string {
	return id[len("CVE-"):len("CVE-2024")] + "/" + id + ".json"
}
