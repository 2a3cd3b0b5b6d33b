package policy

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/scan/sbom"
	"github.com/stella-ops/stella/vex"
)

// traceWriter writes traces in canonical form (RFC 8785) as findings are decided:
// members in the order of their names, shortest escapes, integers only. A test holds
// it against encoding a Trace.
//
// The buffer is kept at its length, and only a number says how much of it is written:
// the collector is told of every pointer that moves.
type traceWriter struct {
	b          []byte
	at         int // where it goes on
	n          int // decisions
	items      int // where they begin, and how many there are
	itemCount  int
	exceptions map[string]*exception // those that were considered
}

func quoted(s string) []byte {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil { // not UTF-8: it is replaced
		b, _ = jsontext.AppendQuote(nil, strings.ToValidUTF8(s, "\ufffd"))
	}
	return b
}

// quote writes a text. Most need no escapes.
func (w *traceWriter) quote(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			w.bytes(quoted(s))
			return
		}
	}
	w.grow(len(s) + 2)
	w.b[w.at] = '"'
	n := w.at + 1 + copy(w.b[w.at+1:], s)
	w.b[n] = '"'
	w.at = n + 1
}

// grow makes room for n more bytes.
func (w *traceWriter) grow(n int) {
	if w.at+n > len(w.b) {
		more := make([]byte, max(2*len(w.b), w.at+n, 4096))
		copy(more, w.b[:w.at])
		w.b = more
	}
}

func (w *traceWriter) raw(s string) {
	if w.at+len(s) > len(w.b) {
		w.grow(len(s))
	}
	w.at += copy(w.b[w.at:], s)
}

func (w *traceWriter) bytes(s []byte) {
	w.grow(len(s))
	w.at += copy(w.b[w.at:], s)
}

func (w *traceWriter) int(n int64) {
	w.grow(24)
	w.at += len(strconv.AppendInt(w.b[w.at:w.at], n, 10))
}

func (w *traceWriter) bool(b bool) { w.raw(strconv.FormatBool(b)) }

func (w *traceWriter) time(t time.Time) {
	w.grow(64)
	w.at += len(append(t.UTC().AppendFormat(append(w.b[w.at:w.at], '"'), time.RFC3339Nano), '"'))
}

// text writes a member that is left out where it is empty.
func (w *traceWriter) text(name, s string) {
	if s != "" {
		w.raw(name)
		w.quote(s)
	}
}

func (w *traceWriter) texts(list []string) {
	w.raw("[")
	for i, s := range list {
		if i > 0 {
			w.raw(",")
		}
		w.quote(s)
	}
	w.raw("]")
}

func (w *traceWriter) ints(list []int) {
	w.raw("[")
	for i, n := range list {
		if i > 0 {
			w.raw(",")
		}
		w.int(int64(n))
	}
	w.raw("]")
}

// maxTraceRoom bounds the buffers that are kept for another evaluation, in bytes.
const maxTraceRoom = 16 << 20

func (w *traceWriter) begin(r *run) {
	if room, ok := r.engine.rooms.Get().(*[]byte); ok {
		w.b = *room
	}
	w.exceptions = map[string]*exception{}
}

// finding writes a Decided.
func (w *traceWriter) finding(v *evaluated, d *decision, x *ruled) {
	if w.n++; w.n > 1 {
		w.raw(",")
	}
	w.raw(`{"advisory":`)
	w.quote(v.Advisory)
	if len(v.Aliases) > 0 {
		w.raw(`,"aliases":`)
		w.texts(v.Aliases)
	}
	w.text(`,"because":`, d.because)
	w.softened(v.run.engine, x)
	w.raw(`,"facts":`)
	fields := v.run.engine.reads
	if len(x.considered) > 0 {
		fields = v.run.engine.readsBasis
	}
	w.facts(v, fields)
	w.text(`,"gate":`, string(d.gate))
	w.raw(`,"name":`)
	w.quote(v.Name)
	w.text(`,"outcome":`, string(d.outcome))
	w.raw(`,"package":`)
	w.quote(v.Package)
	w.text(`,"purl":`, v.PURL)
	w.text(`,"record":`, v.Evidence.Record)
	if d.rule != nil {
		w.raw(`,"rule":`)
		w.bytes(d.rule.quote)
	}
	w.asked(v.run.engine, d.asked)
	w.text(`,"version":`, v.Version)
	w.heard(v)
	w.raw(`,"vulnerability":`)
	w.quote(v.Vulnerability)
	w.warnings(d)
	w.raw("}")
}

func (w *traceWriter) softened(e *Engine, x *ruled) {
	if b := x.before; b != nil {
		w.raw(`,"before":{`)
		if b.because != "" {
			w.raw(`"because":`)
			w.quote(b.because)
			w.raw(",")
		}
		w.raw(`"gate":`)
		w.quote(string(b.gate))
		w.text(`,"outcome":`, string(b.outcome))
		if b.rule != nil {
			w.raw(`,"rule":`)
			w.bytes(b.rule.quote)
		}
		if x.winner.Effect == Downgrade {
			w.asked(e, b.asked)
		}
		w.raw("}")
		w.text(`,"exception":`, x.winner.ID)
	}
	for i, e := range x.considered {
		w.exceptions[e.ID] = e.exception
		w.raw([...]string{`,"exceptions":[`, ","}[min(i, 1)])
		w.raw(`{"id":`)
		w.quote(e.ID)
		w.text(`,"why":`, e.why)
		w.raw("}")
	}
	if len(x.considered) > 0 {
		w.raw("]")
	}
}

// item writes an Item. They follow all decisions.
func (w *traceWriter) item(v *evaluated, d *decision) {
	if w.itemCount++; w.itemCount == 1 {
		w.items = w.at
	} else {
		w.raw(",")
	}
	i := v.item
	w.raw(`{"about":`)
	w.quote(string(i.About))
	w.text(`,"because":`, d.because)
	if fields := v.run.engine.readsItem[i.About]; v.pkg != nil && len(fields) > 0 {
		w.raw(`,"facts":`)
		w.facts(v, fields)
	}
	w.text(`,"gate":`, string(d.gate))
	if i.Line > 0 {
		w.raw(`,"line":`)
		w.int(int64(i.Line))
	}
	w.text(`,"outcome":`, string(d.outcome))
	w.text(`,"path":`, i.Path)
	if d.rule != nil {
		w.raw(`,"rule":`)
		w.bytes(d.rule.quote)
	}
	w.asked(v.run.engine, d.asked)
	w.text(`,"secret":`, i.Secret)
	w.warnings(d)
	w.raw("}")
}

func (w *traceWriter) warnings(d *decision) {
	for i, r := range d.warnings {
		w.raw([...]string{`,"warnings":[`, ","}[min(i, 1)])
		w.bytes(r.quote)
	}
	w.flag("]", len(d.warnings) > 0)
}

// facts writes what rules read. A severity is what it was before an exception.
func (w *traceWriter) facts(v *evaluated, fields []*Field) {
	was := v.severity
	if v.severity != v.rated {
		v.severity, v.have = v.rated, 0
	}
	w.raw("{")
	for i, f := range fields {
		if i > 0 {
			w.raw(",")
		}
		w.raw(f.member)
		w.value(f.Kind, v.fact(f.place))
	}
	w.raw("}")
	v.severity = was
}

func (w *traceWriter) value(k Kind, x *value) {
	if !x.known {
		w.raw("null")
		return
	}
	switch k {
	case KindText, KindPURL:
		w.quote(x.text)
	case KindTexts:
		w.texts(x.list)
	case KindFlag:
		w.bool(x.flag)
	case KindLabels:
		w.any(x.labels)
	default:
		w.int(x.number)
	}
}

func (w *traceWriter) asked(e *Engine, list []askedRule) {
	for i, a := range list {
		w.raw([...]string{`,"rules":[`, `,`}[min(i, 1)])
		w.raw(e.rules[a.rule].answers[a.is])
		w.int(int64(a.by))
		w.raw("]")
	}
	if len(list) > 0 {
		w.raw("]")
	}
}

func (w *traceWriter) heard(v *evaluated) {
	c := v.consensus
	if len(c.Claims) == 0 && len(v.selection.Others) == 0 {
		return
	}
	w.raw(`,"vex":{`)
	if len(c.Against) > 0 {
		w.raw(`"against":`)
		w.ints(c.Against)
		w.raw(",")
	}
	if len(c.Claims) > 0 {
		w.claims(c)
		w.raw(",")
	}
	if len(c.Deciding) > 0 {
		w.raw(`"deciding":`)
		w.ints(c.Deciding)
		w.raw(",")
	}
	w.flag(`"disputed":true,`, c.Disputed)
	w.flag(`"excused":true,`, v.excused)
	if !c.NextChange.IsZero() {
		w.raw(`"next_change_at":`)
		w.time(c.NextChange)
		w.raw(",")
	}
	for i, o := range v.selection.Others {
		w.raw([...]string{`"others":[`, ","}[min(i, 1)])
		w.raw(`{"statement":`)
		w.quote(o.Statement.ID)
		w.raw(`,"why":`)
		w.quote(string(o.Reason))
		w.raw("}")
	}
	w.flag(`],`, len(v.selection.Others) > 0)
	if v.refused != "" {
		w.raw(`"refused":`)
		w.quote(v.refused)
		w.raw(",")
	}
	w.flag(`"signed":true,`, c.Signed)
	if c.Status != "" {
		w.raw(`"status":`)
		w.quote(string(c.Status))
		w.raw(",")
	}
	if c.Tier > 0 {
		w.raw(`"tier":`)
		w.int(int64(c.Tier))
		w.raw(",")
	}
	w.raw(`"value":"`)
	w.raw(c.Value.String())
	w.raw(`"}`)
}

func (w *traceWriter) flag(text string, is bool) {
	if is {
		w.raw(text)
	}
}

func (w *traceWriter) claims(c *vex.Consensus) {
	for i := range c.Claims {
		j := &c.Claims[i]
		s := j.Statement
		w.raw([...]string{`"claims":[`, ","}[min(i, 1)])
		w.raw(`{"document":`)
		w.quote(s.Origin.Document)
		if j.Issuer != nil {
			w.text(`,"issuer":`, j.Issuer.ID)
		}
		w.text(`,"justification":`, string(s.Justification))
		w.flag(`,"signed":true`, s.Origin.Signature == vex.Verified)
		w.raw(`,"standing":`)
		w.quote(string(j.Standing))
		w.raw(`,"statement":`)
		w.quote(s.ID)
		w.raw(`,"status":`)
		w.quote(string(s.Status))
		if j.Issuer != nil {
			w.raw(`,"tier":`)
			w.int(int64(j.Issuer.Tier))
		}
		if !s.Time.IsZero() {
			w.raw(`,"time":`)
			w.time(s.Time)
		}
		w.raw("}")
	}
	w.raw("]")
}

// end puts the trace together.
func (w *traceWriter) end(r *run, gaps []sbom.Gap) []byte {
	room, decisions, items := w.b, w.b[:w.at], []byte(nil)
	if w.itemCount > 0 {
		decisions, items = w.b[:w.items], w.b[w.items:w.at]
	}
	w.b, w.at = make([]byte, len(decisions)+len(items)+len(r.engine.text)+8192), 0
	v := &r.verdict
	w.raw(`{"assessed":`)
	w.bool(r.in.Digests.Advisories != "")
	w.raw(`,"at":`)
	w.time(v.At)
	w.text(`,"because":`, v.Because)
	if c := sorted(r.in.Controls); len(c) > 0 {
		w.raw(`,"controls":`)
		w.texts(c)
	}
	w.raw(`,"decisions":[`)
	w.bytes(decisions)
	w.raw(`],"engine":`)
	w.any(v.Engine)
	w.text(`,"environment":`, v.Environment)
	for i, id := range slices.Sorted(maps.Keys(w.exceptions)) {
		w.raw([...]string{`,"exceptions":[`, ","}[min(i, 1)])
		w.any(w.exceptions[id].Exception)
	}
	w.flag("]", len(w.exceptions) > 0)
	if len(r.engine.imageReads) > 0 {
		w.raw(`,"facts":`)
		w.facts(&evaluated{run: r, in: r.in, consensus: &silence}, r.engine.imageReads)
	}
	if len(gaps) > 0 {
		w.raw(`,"gaps":`)
		w.any(gaps)
	}
	w.raw(`,"inputs":`)
	w.any(v.Inputs)
	if len(items) > 0 {
		w.raw(`,"items":[`)
		w.bytes(items)
		w.raw("]")
	}
	if len(room) <= maxTraceRoom {
		r.engine.rooms.Put(&room)
	}
	if !v.NextChange.IsZero() {
		w.raw(`,"next_change_at":`)
		w.time(v.NextChange)
	}
	w.text(`,"outcome":`, string(v.Outcome))
	w.raw(`,"policy":`)
	w.bytes(r.engine.text)
	w.text(`,"schema":`, TraceSchema)
	w.raw(`,"subject":`)
	w.any(v.Subject)
	w.raw("}")
	return w.b[:w.at:w.at]
}

func (w *traceWriter) any(v any) {
	text, _ := canonical(v) // of texts, numbers and times: it cannot fail
	w.bytes(text)
}
