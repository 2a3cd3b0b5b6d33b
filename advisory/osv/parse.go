package osv

import (
	"errors"
	"io"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/advisory/version"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// Parse reads one record in JSON. An error is an [*advisory.RecordError]
// without a file, and wraps [ErrInvalid] or [ErrLimit].
func Parse(text []byte, opts *Options) (*advisory.Record, error) {
	return parse(newParser(opts), text, "")
}

// parser reads records one after another. It is not safe for concurrent use.
type parser struct {
	opts   Options
	in     *reader
	record *advisory.Record
	page   string     // the database's own address of the record
	links  references // what else it refers to
	packed []byte     // versions of one package
}

func newParser(opts *Options) *parser {
	return &parser{opts: opts.withDefaults(), in: newReader()}
}

// parse reads a record and names the file in errors. The parser keeps nothing
// of text.
func parse(p *parser, text []byte, file string) (*advisory.Record, error) {
	if int64(len(text)) > p.opts.MaxRecord {
		return nil, &advisory.RecordError{File: file, Err: &fault.LimitError{What: "bytes of one record", Where: "the record", Max: p.opts.MaxRecord, Seen: int64(len(text))}}
	}
	return p.read(text, text, file)
}

// read reads a record from JSON, whose original text is raw.
func (p *parser) read(text, raw []byte, file string) (*advisory.Record, error) {
	p.record = &advisory.Record{Digest: sum.Of(raw)}
	p.page = ""
	p.links.reset()
	p.in.reset(text)
	if k := p.in.kind(); k != '{' && k != 0 {
		p.in.skip()
		p.in.fail("it is not an object")
	}
	p.in.object(p.member)
	p.end()
	r := p.record
	if p.in.err != nil {
		return nil, &advisory.RecordError{File: file, ID: r.ID, Pointer: p.in.at, Digest: r.Digest, Err: p.in.err}
	}
	p.finish(r)
	if err := r.Validate(); err != nil {
		var broken *advisory.RecordError
		if errors.As(err, &broken) {
			broken.File, broken.Digest = file, r.Digest
		}
		return nil, err
	}
	return r, nil
}

// end makes sure that nothing follows the record.
func (p *parser) end() {
	if p.in.err != nil {
		return
	}
	if _, err := p.in.dec.ReadToken(); err != io.EOF {
		p.in.fail("something follows the record")
	}
}

// member reads one member of the record.
func (p *parser) member(name string) {
	r, in := p.record, p.in
	switch name {
	case "id":
		r.ID = in.string("the id", advisory.MaxID)
	case "modified":
		r.Modified = in.string("a time", advisory.MaxID)
	case "published":
		r.Published = in.string("a time", advisory.MaxID)
	case "withdrawn":
		r.Withdrawn = in.string("a time", advisory.MaxID)
	case "aliases":
		r.Aliases = in.strings("aliases", advisory.MaxIDs)
	case "upstream":
		r.Upstream = in.strings("upstream ids", advisory.MaxIDs)
	case "related":
		r.Related = in.strings("related ids", advisory.MaxIDs)
	case "summary":
		r.Summary = advisory.Summarize(string(in.raw("the summary", int(p.opts.MaxRecord))))
	case "details":
		r.Details = string(in.raw("the details", advisory.MaxLong))
	case "severity":
		r.Scores = p.scores()
	case "affected":
		in.array("affected packages", advisory.MaxAffected, p.affected)
	case "references":
		in.array("references", advisory.MaxReferences, p.reference)
	case "database_specific":
		p.specific(func(name string) {
			switch name {
			case "severity":
				r.Rating = in.word()
			case "url":
				p.page = in.word()
			case "cwe_ids", "cwes":
				p.cwes()
			default:
				in.skip()
			}
		})
	default:
		in.skip()
	}
}

// cwes reads ids of weaknesses: texts, or objects that name one as cweId. What
// is neither is skipped.
func (p *parser) cwes() {
	in := p.in
	if in.kind() != '[' {
		in.skip()
		return
	}
	add := func() {
		if id := in.word(); strings.HasPrefix(id, "CWE-") && !strings.ContainsAny(id, " \t\r\n") {
			p.record.CWEs = append(p.record.CWEs, id)
		}
	}
	in.array("weaknesses", advisory.MaxIDs, func() {
		if in.kind() != '{' {
			add()
			return
		}
		in.object(func(name string) {
			if name == "cweId" {
				add()
			} else {
				in.skip()
			}
		})
	})
}

// specific reads an object whose members a database is free to choose; a value
// that is none is skipped.
func (p *parser) specific(member func(name string)) {
	if p.in.kind() != '{' {
		p.in.skip()
		return
	}
	p.in.object(member)
}

func (p *parser) scores() (out []finding.Score) {
	in := p.in
	in.array("severities", advisory.MaxScores, func() {
		var s finding.Score
		in.object(func(name string) {
			switch name {
			case "type":
				s.Type = in.string("a severity's type", advisory.MaxID)
			case "score":
				s.Value = in.string("a severity", advisory.MaxValue)
			case "source":
				s.Source = in.word()
			default:
				in.skip()
			}
		})
		if s.Value != "" {
			out = append(out, s)
		}
	})
	return out
}

// affected reads one affected package.
func (p *parser) affected() {
	var a advisory.Affected
	in := p.in
	var priority string
	in.object(func(name string) {
		switch name {
		case "package":
			in.object(func(name string) {
				switch name {
				case "ecosystem":
					a.Ecosystem = in.string("an ecosystem's name", advisory.MaxID)
				case "name":
					a.Name = in.string("a package's name", advisory.MaxName)
				default:
					in.skip()
				}
			})
		case "ranges":
			in.array("ranges", advisory.MaxRanges, func() { a.Ranges = append(a.Ranges, p.versionRange()) })
		case "versions":
			a.Versions = p.versions()
		case "severity":
			a.Scores = p.scores()
		case "ecosystem_specific":
			p.specific(func(name string) {
				switch name {
				case "urgency", "ubuntu_priority", "severity":
					if word := in.word(); word != "" {
						priority = word
					}
				default:
					in.skip()
				}
			})
		case "database_specific":
			p.specific(func(name string) {
				if name == "severity" {
					a.Rating = in.word()
				} else {
					in.skip()
				}
			})
		default:
			in.skip()
		}
	})
	if priority != "" {
		a.Rating = priority
	}
	if strings.HasPrefix(a.Ecosystem, "Debian") {
		a.Status = debianStatus[a.Rating]
	}
	if (a.Ecosystem == "") != (a.Name == "") {
		in.fail("a package has an ecosystem %q but the name %q", a.Ecosystem, a.Name)
	}
	p.record.Affected = append(p.record.Affected, a)
}

// debianStatus are the urgencies of Debian's tracker that are decisions.
//
// Source: https://security-team.debian.org/security_tracker.html, "Severity levels".
var debianStatus = map[string]advisory.Status{"unimportant": advisory.Unimportant, "end-of-life": advisory.EndOfLife}

func (p *parser) versions() advisory.VersionList {
	p.packed = p.packed[:0]
	p.in.array("versions", advisory.MaxVersions, func() {
		if v := p.in.raw("a version", advisory.MaxValue); len(v) > 0 {
			p.packed = advisory.AppendVersion(p.packed, v)
		}
	})
	return advisory.VersionList(p.packed)
}

func (p *parser) versionRange() (out advisory.Range) {
	in := p.in
	starts := false
	in.object(func(name string) {
		switch name {
		case "type":
			out.Type = advisory.RangeType(in.string("a range's type", advisory.MaxID))
		case "repo":
			out.Repo = in.string("an address", advisory.MaxValue)
		case "events":
			in.array("events", advisory.MaxEvents, func() {
				e := p.event()
				starts = starts || e.Introduced != ""
				out.Events = append(out.Events, e)
			})
		default:
			in.skip()
		}
	})
	if in.err == nil && !starts {
		in.fail("a range has no introduced event")
	}
	return out
}

func (p *parser) event() (e version.Event) {
	in := p.in
	n := 0
	in.object(func(name string) {
		var to *string
		switch name {
		case "introduced":
			to = &e.Introduced
		case "fixed":
			to = &e.Fixed
		case "last_affected":
			to = &e.LastAffected
		case "limit":
			to = &e.Limit
		default:
			in.skip()
			return
		}
		if *to = in.string("a version", advisory.MaxValue); *to != "" {
			n++
		}
	})
	if in.err == nil && n != 1 {
		in.fail("an event sets %d of introduced, fixed, last_affected and limit", n)
	}
	return e
}

// finish fills in what several members decide.
func (p *parser) finish(r *advisory.Record) {
	if r.Summary == "" {
		r.Summary = advisory.Summarize(r.Details)
	}
	best := ""
	r.References, best = p.links.take(r.ID)
	if r.URL = p.page; !isLink([]byte(r.URL)) {
		r.URL = best
	}
}
