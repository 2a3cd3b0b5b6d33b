package epss

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/lazyre"
)

// errStop ends reading for a consumer that has had enough.
var errStop = errors.New("stop")

// Parse yields the signals of a file, in its order. A row that cannot be used is
// an [*advisory.RecordError].
func (s Source) Parse(doc *advisory.Document) iter.Seq2[advisory.Statement, error] {
	return func(yield func(advisory.Statement, error) bool) {
		p := parser{out: feedtext.Out{File: doc.Name, Yield: yield}}
		if err := p.read(doc); err != nil && !errors.Is(err, errStop) {
			yield(nil, fmt.Errorf("read EPSS scores %s: %w", doc.Name, err))
		}
	}
}

type parser struct {
	out  feedtext.Out
	day  string
	cols [3]int // where cve, epss and percentile are, percentile −1 for nowhere
	row  []string
}

func (p *parser) read(doc *advisory.Document) error {
	r, err := feedtext.Unpack(doc.Name, doc.Content, MaxBytes)
	if err != nil {
		return err
	}
	defer r.Close()
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, maxLine), maxLine)
	p.day = dayOfName(doc.Name)
	line, rows, headed := 0, 0, false
	for in.Scan() {
		line++
		text := bytes.TrimRight(in.Bytes(), "\r")
		switch {
		case len(text) == 0:
		case text[0] == '#' && line == 1:
			if day := dayOfComment(string(text)); day != "" {
				p.day = day
			}
		case !headed:
			headed = true
			if err := p.head(string(text)); err != nil {
				return err
			}
		default:
			if rows++; rows > MaxRows {
				return &fault.LimitError{What: "rows", Where: "the file", Max: MaxRows}
			}
			if err := p.score(text, line); err != nil {
				return err
			}
		}
	}
	switch err := in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return &fault.LimitError{What: "bytes of a line", Where: fmt.Sprintf("line %d", line+1), Max: maxLine}
	case err != nil:
		return err
	case !headed:
		return fmt.Errorf("it has no row: %w", fault.Invalid)
	}
	return nil
}

// head finds the columns.
func (p *parser) head(text string) error {
	p.cols = [3]int{-1, -1, -1}
	for i, name := range strings.Split(text, ",") {
		for j, want := range []string{"cve", "epss", "percentile"} {
			if name == want {
				p.cols[j] = i
			}
		}
	}
	switch {
	case p.cols[0] < 0 || p.cols[1] < 0:
		return fmt.Errorf("its columns are %.80q, without cve and epss: %w", text, fault.Invalid)
	case p.day == "":
		return fmt.Errorf("neither its first line nor its name says of which day it is: %w", fault.Invalid)
	}
	return nil
}

// score passes one row on.
func (p *parser) score(text []byte, line int) error {
	p.row = p.row[:0]
	for rest, more := string(text), true; more; {
		var cell string
		cell, rest, more = strings.Cut(rest, ",")
		p.row = append(p.row, cell)
	}
	cell := func(i int) string {
		if i < 0 || i >= len(p.row) {
			return ""
		}
		return p.row[i]
	}
	s := &advisory.Signal{Vulnerability: cell(p.cols[0]), EPSS: cell(p.cols[1]), Percentile: cell(p.cols[2]), Day: p.day}
	err := s.Validate()
	if err == nil && s.EPSS == "" {
		err = fmt.Errorf("the row has no score: %w", fault.Invalid)
	}
	if err != nil {
		if !p.out.Broken(s.Vulnerability, feedtext.Digest(text), &advisory.RecordError{Line: line, Err: err}) {
			return errStop
		}
		return nil
	}
	if !p.out.Yield(s, nil) {
		return errStop
	}
	return nil
}

// dayOfComment reads "#model_version:v2023.03.01,score_date:2024-10-25T00:00:00+0000".
func dayOfComment(text string) string {
	for part := range strings.SplitSeq(strings.TrimPrefix(text, "#"), ",") {
		if at, ok := strings.CutPrefix(strings.TrimSpace(part), "score_date:"); ok {
			return day(at)
		}
	}
	return ""
}

var dateOfName = lazyre.New(`[0-9]{4}-[0-9]{2}-[0-9]{2}`)

func dayOfName(name string) string { return day(dateOfName.Get().FindString(name)) }

// day returns the day that a text begins with, or "".
func day(s string) string {
	s = s[:min(len(s), len(time.DateOnly))]
	if _, err := time.Parse(time.DateOnly, s); err != nil {
		return ""
	}
	return s
}
