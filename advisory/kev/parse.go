package kev

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/advisory/internal/jsonlist"
	"github.com/stella-ops/stella/internal/fault"
)

// Parse yields the signals of a catalogue, in its order. What begins with a
// brace is JSON, all else CSV. An entry that cannot be used, or whose
// vulnerability was there before, is an [*advisory.RecordError].
func (s Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		p := parser{out: feedtext.Out{File: doc.Name, Yield: yield}, seen: map[string]bool{}}
		err := p.read(doc)
		if err != nil && !errors.Is(err, jsonlist.ErrStop) {
			yield(nil, fmt.Errorf("read KEV catalogue %s: %w", doc.Name, err))
		}
	}
}

type parser struct {
	out  feedtext.Out
	seen map[string]bool
}

func (p *parser) read(doc *advisory.Document) error {
	r, err := feedtext.Unpack(doc.Name, doc.Content, MaxBytes)
	if err != nil {
		return err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if text = bytes.TrimLeft(text, " \t\r\n"); bytes.HasPrefix(text, []byte("{")) {
		return p.json(text)
	}
	return p.csv(text)
}

// entry is what is read of one entry.
type entry struct {
	CVE        string `json:"cveID"`
	Added      string `json:"dateAdded"`
	Due        string `json:"dueDate"`
	Ransomware string `json:"knownRansomwareCampaignUse"`
}

// signal passes an entry on.
func (p *parser) signal(e entry, digest, pointer string, line int) error {
	s := &advisory.Signal{Vulnerability: e.CVE, Exploited: e.Added, Due: e.Due, Ransomware: e.Ransomware}
	err := s.Validate()
	switch {
	case err != nil:
	case e.Added == "":
		err = fmt.Errorf("it has no day from which on it is listed: %w", fault.Invalid)
	case p.seen[e.CVE]:
		err = fmt.Errorf("it is listed twice: %w", fault.Invalid)
	case e.Ransomware != "" && e.Ransomware != "Known" && e.Ransomware != "Unknown":
		err = fmt.Errorf("use by ransomware is %.80q, neither Known nor Unknown: %w", e.Ransomware, fault.Invalid)
	}
	if err != nil {
		return p.broken(e.CVE, digest, &advisory.RecordError{Pointer: pointer, Line: line, Err: err})
	}
	p.seen[e.CVE] = true
	if !p.out.Yield(s, nil) {
		return jsonlist.ErrStop
	}
	return nil
}

func (p *parser) broken(id, digest string, err error) error {
	if !p.out.Broken(id, digest, err) {
		return jsonlist.ErrStop
	}
	return nil
}

func (p *parser) json(text []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	count, n, listed := int64(-1), int64(0), false
	err := jsonlist.Object(dec, func(name string) error {
		switch name {
		case "count":
			value, err := dec.ReadValue()
			if err != nil {
				return jsonlist.Bad(err)
			}
			return jsonlist.Decode(value, &count, "/count")
		case "vulnerabilities":
			listed = true
			return jsonlist.Elements(dec, MaxEntries, func(value jsontext.Value, pointer string) error {
				n++
				var e entry
				if err := jsonlist.Decode(value, &e, pointer); err != nil {
					return p.broken(e.CVE, feedtext.Digest(value), err)
				}
				return p.signal(e, feedtext.Digest(value), pointer, 0)
			})
		}
		return jsonlist.Bad(dec.SkipValue())
	})
	switch {
	case err != nil:
		return err
	case !listed:
		return fmt.Errorf("it has no list of vulnerabilities: %w", fault.Invalid)
	case count >= 0 && count != n:
		return fmt.Errorf("it counts %d vulnerabilities and lists %d: %w", count, n, fault.Invalid)
	}
	return jsonlist.End(dec)
}

func (p *parser) csv(text []byte) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.ReuseRecord = true
	head, err := r.Read()
	if err != nil {
		return fmt.Errorf("read the names of its columns: %v: %w", err, fault.Invalid)
	}
	column := map[string]int{}
	for i, name := range head {
		column[name] = i
	}
	for _, name := range []string{"cveID", "dateAdded", "dueDate"} {
		if _, ok := column[name]; !ok {
			return fmt.Errorf("it has no column %s: %w", name, fault.Invalid)
		}
	}
	for n := 0; ; n++ {
		row, err := r.Read()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("%v: %w", err, fault.Invalid)
		case n == MaxEntries:
			return &fault.LimitError{What: "entries", Where: "the catalogue", Max: MaxEntries}
		}
		e := entry{CVE: row[column["cveID"]], Added: row[column["dateAdded"]], Due: row[column["dueDate"]]}
		if i, ok := column["knownRansomwareCampaignUse"]; ok {
			e.Ransomware = row[i]
		}
		line, _ := r.FieldPos(0)
		if err := p.signal(e, feedtext.Digest([]byte(strings.Join(row, ","))), "", line); err != nil {
			return err
		}
	}
}
