package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/plain"
	"github.com/stella-ops/stella/policy"
)

type junitSuites struct {
	XMLName  xml.Name   `xml:"testsuites"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Skipped  int        `xml:"skipped,attr"`
	Suite    junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Failure *junitReason `xml:"failure"`
	Error   *junitReason `xml:"error"`
	Skipped *junitReason `xml:"skipped"`
	Out     string       `xml:"system-out,omitempty"`
}

type junitReason struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",cdata"`
}

// JUnit writes the findings and gaps that are chosen as test cases of JUnit's XML. What
// blocks is a failure. What was not assessed is an error, as is what could not be
// evaluated: neither is a pass, and neither says that something is bad. What is excused
// is skipped, with the reason. A warning passes, with its reason as output. An error
// wraps ErrInvalid, or is that of w.
func JUnit(w io.Writer, t *policy.Trace, opts *Options) error {
	v, err := newView(t, opts)
	if err != nil {
		return fmt.Errorf("write JUnit: no trace: %w", err)
	}
	name := plain.Text(cmp.Or(v.Subject.Name, "verdict"))
	doc := junitSuites{Name: "policy " + plain.Text(v.Policy.ID), Suite: junitSuite{Name: name, Timestamp: v.At.UTC().Format("2006-01-02T15:04:05")}}
	for _, d := range v.chosen(true) {
		c := junitCase{Class: plain.Text(cmp.Or(d.PURL, d.Name)), Name: plain.Text(d.Vulnerability + " in " + strings.TrimSpace(d.Name+" "+d.Version))}
		why := v.why(d)
		if isExcused(d) {
			c.Skipped = &junitReason{Message: plain.Text(cmp.Or(why, "excused"))}
		} else {
			v.story(&c, d.Outcome, why, d)
		}
		doc.add(c)
	}
	v.junitBeside(&doc)
	if v.opts.Vulnerability == "" && v.opts.Package == "" {
		v.junitGaps(&doc)
	}
	if all := v.opts.Vulnerability == "" && v.opts.Package == ""; all && !v.Outcome.Allows() && doc.Suite.Failures+doc.Suite.Errors == 0 {
		doc.add(junitCase{Class: "verdict", Name: name, Error: &junitReason{Message: plain.Text(cmp.Or(v.Because, words(v.Outcome))), Type: string(v.Outcome)}})
	}
	if len(doc.Suite.Cases) == 0 {
		doc.add(junitCase{Class: name, Name: "nothing was found"})
	}
	s := &doc.Suite
	doc.Tests, doc.Failures, doc.Errors, doc.Skipped = s.Tests, s.Failures, s.Errors, s.Skipped
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("write JUnit: %v: %w", err, ErrInvalid)
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

func (v *view) junitGaps(doc *junitSuites) {
	if !v.Assessed {
		doc.add(junitCase{Class: "coverage", Name: "advisory data", Error: &junitReason{Message: "there is no advisory data", Type: string(policy.NotAssessed)}})
	}
	for _, g := range v.Gaps {
		c := junitCase{Class: "coverage", Name: plain.Text(g.Where + " [" + string(g.Code) + "]")}
		v.story(&c, v.gapOutcome(g.Blocking), g.What, nil)
		if !g.Blocking {
			c.Out = plain.Text(g.What)
		}
		doc.add(c)
	}
}

// story fills in a test case by an outcome; d has the whole story, where there is one.
func (v *view) story(c *junitCase, o policy.Outcome, why string, d *policy.Decided) {
	reason := &junitReason{Message: plain.Text(cmp.Or(why, words(o))), Type: string(o)}
	if d != nil && o != policy.Pass {
		var b textWriter
		v.decided(&b, d)
		reason.Text = "\n" + b.b.String()
	}
	switch o {
	case policy.Block:
		c.Failure = reason
	case policy.Error, policy.NotAssessed:
		c.Error = reason
	case policy.Warn:
		c.Out = "warn: " + reason.Message
	}
}

func (s *junitSuites) add(c junitCase) {
	s.Suite.Cases = append(s.Suite.Cases, c)
	s.Suite.Tests++
	switch {
	case c.Failure != nil:
		s.Suite.Failures++
	case c.Error != nil:
		s.Suite.Errors++
	case c.Skipped != nil:
		s.Suite.Skipped++
	}
}
