package timeline_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stella-ops/stella/notify/timeline"
	"github.com/stella-ops/stella/notify/timeline/verify"
)

// The window that is tampered with at a time: rows, and rows of a checkpoint.
const windowRows, windowMarks = 1000, 250

// stream reads lines without joining them.
type stream struct {
	lines [][]byte
	at    int
}

func (s *stream) Read(p []byte) (n int, err error) {
	for n < len(p) && len(s.lines) > 0 {
		k := copy(p[n:], s.lines[0][s.at:])
		n += k
		if s.at += k; s.at == len(s.lines[0]) {
			s.lines, s.at = s.lines[1:], 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// window is a part of a chain, as it is exported and signed, that goes on after a report.
type window struct {
	t        testing.TB
	random   *rand.Rand
	after    *verify.Report // nil at the beginning
	before   timeline.Head
	entries  []timeline.Entry
	stamps   [][]byte // checkpoints, as lines
	pruned   int64    // bodies may lack up to this row
	seen     verify.Seen
	rendered [][]byte // entries, as lines
}

// story makes windows one after another. Each begins with bodies that were deleted, and
// has a row in its middle that says so.
type story struct {
	head     timeline.Head
	number   int64
	previous string
	report   *verify.Report
	n        int
}

func newStory() *story { return &story{head: timeline.Head{Hash: timeline.Genesis("acme")}} }

func (s *story) next(t testing.TB, random *rand.Rand) *window {
	w := &window{t: t, random: random, after: s.report, before: s.head, pruned: s.head.Seq + 10}
	events := make([]timeline.Event, windowRows)
	for i := range events {
		if events[i] = eventOf(s.n); i == windowRows/2 {
			e, err := (&timeline.Retention{Last: w.pruned, By: "ann"}).Announce("acme", noon)
			if err != nil {
				t.Fatal(err)
			}
			events[i] = *e
		}
		s.n++
	}
	w.entries, s.head = timeline.Extend(s.head, noon.Add(time.Duration(s.n)*time.Millisecond), events)
	for i := range w.entries[:10] {
		w.entries[i].Body = nil
	}
	for first := 0; first < windowRows; first += windowMarks {
		part := w.entries[first:][:windowMarks]
		c := &timeline.Checkpoint{Number: s.number + 1, Tenant: "acme", First: part[0].Seq, Last: part[windowMarks-1].Seq, Hash: part[windowMarks-1].Hash, Previous: s.previous, Time: noon}
		for i := range part {
			c.Marks = append(c.Marks, part[i].Hash[:8]...)
		}
		k, err := c.Sign(context.Background(), testKey())
		if err == nil {
			_, s.previous, err = timeline.ReadCheckpoint(k, "acme", trustIn(testKey()))
		}
		if err != nil {
			t.Fatal(err)
		}
		w.stamps, s.number = append(w.stamps, append(k.Envelope, '\n')), s.number+1
	}
	for i := range w.entries {
		w.rendered = append(w.rendered, w.line(&w.entries[i], i))
	}
	w.seen = verify.Seen{Number: s.number, Digest: s.previous}
	var err error
	if s.report, err = w.verify(w.lines(w.entries, s.head), w.stamps); err != nil {
		t.Fatal(err)
	}
	return w
}

// lines is how entries are exported.
func (w *window) lines(entries []timeline.Entry, head timeline.Head) (out [][]byte) {
	if w.after == nil {
		out = append(out, []byte(`{"first":1,"format":"stella.timeline.v1","tenant":"acme"}`+"\n"))
	}
	for i := range entries {
		out = append(out, w.line(&entries[i], i))
	}
	return append(out, []byte(fmt.Sprintf("{\"end\":%d,\"hash\":%q}\n", head.Seq, head.Hash)))
}

// line is how an entry is exported: most are what they were, near where they were.
func (w *window) line(e *timeline.Entry, at int) []byte {
	for i := max(at-1, 0); i < min(at+2, len(w.rendered)); i++ {
		if was := &w.entries[i]; was.Row == e.Row && len(was.Body) == len(e.Body) && (len(e.Body) == 0 || &was.Body[0] == &e.Body[0]) {
			return w.rendered[i]
		}
	}
	line, err := timeline.LineOf(e)
	if err != nil {
		w.t.Fatal(err)
	}
	return line
}

func (w *window) verify(lines, stamps [][]byte) (*verify.Report, error) {
	return verify.Verify(&stream{lines: lines}, &verify.Options{Checkpoints: &stream{lines: stamps}, Trust: trustIn(testKey()), Seen: &w.seen, After: w.after})
}

// rehash makes the chain anew from an entry on, and returns its head.
func (w *window) rehash(entries []timeline.Entry, from int) timeline.Head {
	head := w.before
	if from > 0 {
		head = timeline.Head{Seq: entries[from-1].Seq, Hash: entries[from-1].Hash}
	}
	for i := from; i < len(entries); i++ {
		e := &entries[i]
		e.Seq = head.Seq + 1
		if e.Body != nil {
			e.Digest = sha256.Sum256(e.Body)
		}
		e.Hash = e.After(head.Hash)
		head = timeline.Head{Seq: e.Seq, Hash: e.Hash}
	}
	return head
}

// forged is an entry like another one.
func forged(e timeline.Entry) timeline.Entry {
	e.Event += "x"
	e.Body = bytes.Replace(eventOf(int(e.Seq)).Body, []byte("a"), []byte("e"), 1)
	e.Digest = sha256.Sum256(e.Body)
	return e
}

// tampering changes rows, and says which one is bad from then on. Lines are those of
// entries, which may be changed; at is the place.
type tampering func(w *window, entries []timeline.Entry, at int) (lines [][]byte, bad int64)

func (w *window) end() timeline.Head { return w.headOf(w.entries) }

func (w *window) headOf(entries []timeline.Entry) timeline.Head {
	if len(entries) == 0 {
		return w.before
	}
	last := &entries[len(entries)-1]
	return timeline.Head{Seq: last.Seq, Hash: last.Hash}
}

// other is another place than at.
func (w *window) other(at int) int {
	return (at + 1 + w.random.IntN(len(w.entries)-1)) % len(w.entries)
}

// blankable is a place whose body must not lack.
func (w *window) blankable(at int) int { return max(at, 10) }

// tamperings are the ways to tamper with rows.
var tamperings = map[string]tampering{
	"flip a bit of a line": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		lines := w.lines(entries, w.end())
		i := at
		if w.after == nil {
			i++
		}
		line := bytes.Clone(lines[i])
		line[w.random.IntN(len(line)-1)] ^= 1 << w.random.IntN(8)
		lines[i] = line
		return lines, entries[at].Seq
	},
	"change a column": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		e := &entries[at]
		bad := e.Seq
		switch w.random.IntN(9) {
		case 0:
			e.Seq += 1 + w.random.Int64N(5)
		case 1:
			e.Topic += "x"
		case 2:
			e.Event = e.Event[1:]
		case 3:
			e.Type += "x"
		case 4:
			e.Time = e.Time.Add(time.Microsecond)
		case 5:
			e.Indexed = e.Indexed.Add(-time.Second)
		case 6:
			e.Digest[w.random.IntN(32)] ^= 1 << w.random.IntN(8)
		case 7:
			e.Hash[w.random.IntN(32)] ^= 1 << w.random.IntN(8)
		default:
			if e = &entries[w.blankable(at)]; e.Body != nil {
				e.Body = bytes.Replace(e.Body, []byte("a"), []byte("e"), 1)
			}
			bad = e.Seq
		}
		return w.lines(entries, w.end()), bad
	},
	"change a body and its digest": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		e := &entries[at]
		*e = forged(*e)
		return w.lines(entries, w.end()), e.Seq
	},
	"change a row and its hash": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		bad := entries[at].Seq
		entries[at] = forged(entries[at])
		w.rehash(entries[:at+1], at)
		return w.lines(entries, w.end()), bad
	},
	"delete a row": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		bad := entries[at].Seq
		return w.lines(slices.Delete(entries, at, at+1), w.end()), bad
	},
	"delete a row and make the chain anew": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		bad := entries[at].Seq
		entries = slices.Delete(entries, at, at+1)
		head := w.rehash(entries, at)
		return w.lines(entries, head), bad
	},
	"insert a row": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		e := forged(entries[at])
		return w.lines(slices.Insert(entries, at, e), w.end()), e.Seq
	},
	"insert a row that follows": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		bad := entries[at].Seq
		entries = slices.Insert(entries, at, forged(entries[at]))
		w.rehash(entries[:at+1], at)
		return w.lines(entries, w.end()), bad
	},
	"insert a row and make the chain anew": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		bad := entries[at].Seq
		entries = slices.Insert(entries, at, forged(entries[at]))
		head := w.rehash(entries, at)
		return w.lines(entries, head), bad
	},
	"swap rows": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		to := w.other(at)
		bad := entries[min(at, to)].Seq
		entries[at], entries[to] = entries[to], entries[at]
		return w.lines(entries, w.end()), bad
	},
	"swap what rows say": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		to := w.other(at)
		a, b := entries[at], entries[to]
		entries[at], entries[to] = b, a
		entries[at].Seq, entries[to].Seq = a.Seq, b.Seq
		return w.lines(entries, w.end()), min(a.Seq, b.Seq)
	},
	"swap bodies": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		at = w.blankable(at)
		to := w.blankable(w.other(at))
		if to == at {
			to = (at + 1) % len(entries)
			to = w.blankable(to)
		}
		entries[at].Body, entries[to].Body = entries[to].Body, entries[at].Body
		return w.lines(entries, w.end()), entries[min(at, to)].Seq
	},
	"duplicate a row": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		to := at + w.random.IntN(len(entries)-at)
		bad := entries[to].Seq + 1
		return w.lines(slices.Insert(entries, to+1, entries[at]), w.end()), bad
	},
	"truncate the tail": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		bad := entries[at].Seq
		return w.lines(entries[:at], w.end()), bad
	},
	"truncate the tail and say so": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		bad := entries[at].Seq
		return w.lines(entries[:at], w.headOf(entries[:at])), bad
	},
	"cut the export": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		lines := w.lines(entries[:at], w.end())
		return lines[:len(lines)-1], entries[at].Seq
	},
	"make the chain anew": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		bad := entries[at].Seq
		entries[at] = forged(entries[at])
		head := w.rehash(entries, at)
		return w.lines(entries, head), bad
	},
	"fork": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		branch := slices.Clone(entries[:at+1])
		branch[at] = forged(branch[at])
		w.rehash(branch, at)
		if w.random.IntN(2) == 0 { // which of both comes first
			return w.lines(slices.Insert(entries, at, branch[at]), w.end()), entries[at].Seq
		}
		return w.lines(slices.Insert(entries, at+1, branch[at]), w.end()), entries[at].Seq
	},
	"blank a body": func(w *window, entries []timeline.Entry, at int) ([][]byte, int64) {
		at = w.blankable(at)
		entries[at].Body = nil
		return w.lines(entries, w.end()), entries[at].Seq
	},
	"blank the body of a deletion": func(w *window, entries []timeline.Entry, _ int) ([][]byte, int64) {
		entries[windowRows/2].Body = nil
		return w.lines(entries, w.end()), entries[windowRows/2].Seq
	},
	"move a deletion": func(w *window, entries []timeline.Entry, _ int) ([][]byte, int64) {
		from := windowRows / 2
		to := w.other(from)
		e := entries[from]
		bad := entries[min(from, to)].Seq
		return w.lines(slices.Insert(slices.Delete(entries, from, from+1), to, e), w.end()), bad
	},
	"delete more than was said": func(w *window, entries []timeline.Entry, _ int) ([][]byte, int64) {
		e := &entries[windowRows/2]
		e.Event = fmt.Sprintf("timeline/pruned/%d", w.pruned+1+w.random.Int64N(100))
		return w.lines(entries, w.end()), e.Seq
	},
}

// stampTamperings are the ways to tamper with checkpoints, by the place of one.
var stampTamperings = map[string]func(w *window, stamps [][]byte, at int) ([][]byte, int){
	"alter a checkpoint": func(w *window, stamps [][]byte, at int) ([][]byte, int) {
		line := bytes.Clone(stamps[at])
		from := bytes.Index(line, []byte(`"payload":"`)) + len(`"payload":"`)
		to := from + bytes.IndexByte(line[from:], '"') - 4 // the last bits may be none
		i := from + w.random.IntN(to-from)
		if line[i]++; line[i] == '[' || line[i] == '{' || line[i] == ':' || line[i] == ',' || line[i] == '0' {
			line[i] = 'a'
		}
		stamps[at] = line
		return stamps, at
	},
	"delete a checkpoint":         func(w *window, stamps [][]byte, at int) ([][]byte, int) { return slices.Delete(stamps, at, at+1), at },
	"delete the last checkpoints": func(w *window, stamps [][]byte, at int) ([][]byte, int) { return stamps[:at], at },
	"swap checkpoints": func(w *window, stamps [][]byte, at int) ([][]byte, int) {
		to := (at + 1 + w.random.IntN(len(stamps)-1)) % len(stamps)
		stamps[at], stamps[to] = stamps[to], stamps[at]
		return stamps, min(at, to)
	},
	"duplicate a checkpoint": func(w *window, stamps [][]byte, at int) ([][]byte, int) {
		return slices.Insert(stamps, at, stamps[at]), at + 1
	},
	"sign a checkpoint by another key": func(w *window, stamps [][]byte, at int) ([][]byte, int) {
		k := &timeline.Kept{Number: w.seen.Number - int64(len(stamps)) + int64(at) + 1, Envelope: bytes.TrimSpace(stamps[at])}
		c, _, err := timeline.ReadCheckpoint(k, "acme", trustIn(testKey()))
		if err == nil {
			k, err = c.Sign(context.Background(), keyOf(2))
		}
		if err != nil {
			w.t.Fatal(err)
		}
		stamps[at] = append(k.Envelope, '\n')
		return stamps, at
	},
}

// tamper does one of all and checks that it is found, and where.
func (w *window) tamper(name string) (verify.Reason, bool) {
	lines, stamps := [][]byte(nil), slices.Clone(w.stamps)
	var bad int64
	if f := tamperings[name]; f != nil {
		lines, bad = f(w, slices.Clone(w.entries), w.random.IntN(windowRows))
	} else {
		var at int
		stamps, at = stampTamperings[name](w, stamps, w.random.IntN(len(stamps)))
		lines, bad = w.lines(w.entries, w.end()), w.before.Seq+int64(at)*windowMarks+1
	}
	_, err := w.verify(lines, stamps)
	var found *verify.Error
	if !errors.As(err, &found) {
		w.t.Errorf("%s at row %d: %v", name, bad, err)
		return "", false
	}
	if found.Seq != bad || !errors.Is(err, verify.ErrMismatch) {
		w.t.Errorf("%s: row %d is bad, and what was found is: %v", name, bad, err)
		return found.Reason, false
	}
	return found.Reason, true
}

// TestTampering tampers with a timeline at random: all of it is found, and the first bad
// row named. With STELLA_LONG it is 100,000 times over 1,000,000 rows.
func TestTampering(t *testing.T) {
	windows, times := 1, 1200
	if testing.Short() {
		times = 300
	}
	if os.Getenv("STELLA_LONG") == "1" {
		windows, times = 1000, 100
	}
	var names []string
	for name := range tamperings {
		names = append(names, name)
	}
	for name := range stampTamperings {
		names = append(names, name)
	}
	slices.Sort(names)
	random := rand.New(rand.NewPCG(9, 9))
	reasons := map[string]map[verify.Reason]int{}
	s, found := newStory(), 0
	for n := range windows {
		w := s.next(t, random)
		for i := range times {
			name := names[(n*times+i)%len(names)]
			r, ok := w.tamper(name)
			if reasons[name] == nil {
				reasons[name] = map[verify.Reason]int{}
			}
			if reasons[name][r]++; ok {
				found++
			}
			if t.Failed() && i > 100 {
				t.FailNow()
			}
		}
	}
	if found != windows*times {
		t.Errorf("%d of %d were found", found, windows*times)
	}
	t.Logf("%d of %d over %d rows were found, and where", found, windows*times, windows*windowRows)
	for _, name := range names {
		t.Logf("%s: %v", name, reasons[name])
	}
}
