package verify

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/attest/dsse"
)

// Seen is a checkpoint that was seen before.
type Seen struct {
	Number int64
	Digest string // Report.Digest of back then
}

// Options say what is checked against what. The zero value has the chain alone checked:
// then a rewritten one is not found.
type Options struct {
	// Tenant is whose timeline it must be; "" takes the one that the export names.
	Tenant string
	// Checkpoints are all checkpoints of the tenant in their order, an envelope on each
	// line. Nil means none.
	Checkpoints io.Reader
	// Trust says who must have signed them.
	Trust dsse.Trust
	// Seen is the newest checkpoint that was seen before: it must be among Checkpoints.
	// Without it nobody can tell that the last ones are missing. Nil means none.
	Seen *Seen
	// After is the report of an export that this one goes on after, and of the checkpoints
	// that these ones go on after: the export has no first line then. Nil means that it is
	// whole.
	After *Report
}

// maxRuns bounds the runs of rows without a body that no row has announced yet. Deletion
// goes from the first row on, so there are few.
const maxRuns = 1 << 16

// Verify reads an export to its end, or to the first thing that is wrong: that is an
// *Error. Other errors are of the readers, or wrap ErrInvalid for options that cannot be
// used. The report is never nil.
func Verify(export io.Reader, o *Options) (*Report, error) {
	if o == nil {
		o = new(Options)
	}
	v := &verifier{in: bufio.NewReaderSize(export, MaxLine), opts: o, stamps: checkpoints{trust: o.Trust, seen: o.Seen}, report: new(Report)}
	if o.Checkpoints != nil {
		v.stamps.in = bufio.NewReaderSize(o.Checkpoints, MaxCheckpoint)
	}
	err := v.run()
	v.report.Checkpoints, v.report.Newest, v.report.Digest, v.report.Time = v.stamps.count, v.stamps.now.number, v.stamps.now.digest, v.stamps.now.time
	v.report.Signed = min(v.report.Signed, v.report.Last)
	for _, r := range v.runs {
		v.report.Lacking += r.last - r.first + 1
	}
	return v.report, err
}

type verifier struct {
	in     *bufio.Reader
	opts   *Options
	stamps checkpoints
	report *Report

	line   int64
	hash   Hash // of the row before
	before Hash // of the row before that
	scrap  []byte
	more   bool // stamps may have more
	runs   []run
}

// run is rows without a body.
type run struct{ first, last int64 }

// errEnd is the end of the input.
var errEnd = errors.New("end")

// read returns the next line without its line feed, or errEnd; cut says that the line
// feed was missing.
func (v *verifier) read() (line []byte, cut bool, err error) {
	line, err = v.in.ReadSlice('\n')
	v.line++
	switch {
	case err == nil:
		return line[:len(line)-1], false, nil
	case err == io.EOF && len(line) == 0:
		return nil, false, errEnd
	case err == io.EOF:
		return line, true, nil
	case err == bufio.ErrBufferFull:
		return nil, false, v.fail(Malformed, fmt.Sprintf("it has more than %d bytes", MaxLine))
	}
	return nil, false, fmt.Errorf("read the export: %w", err)
}

// fail is an error about the row that comes next.
func (v *verifier) fail(r Reason, detail string) error {
	e := &Error{Reason: r, Seq: v.report.Last + 1, Line: v.line, Detail: detail}
	if s := &v.stamps.now; e.Seq >= s.first && e.Seq <= s.last {
		e.Checkpoint = s.number
	}
	return e
}

func (v *verifier) run() error {
	if err := v.begin(); err != nil {
		return err
	}
	var r row
	for {
		line, cut, err := v.read()
		switch {
		case err == errEnd || cut:
			return v.fail(Truncated, "the export ends without its last line")
		case err != nil:
			return err
		case bytes.HasPrefix(line, []byte(`{"end":`)):
			return v.end(line)
		}
		if err := parseRow(line, &r); err != nil {
			return v.fail(Malformed, err.Error())
		}
		if err := v.row(&r); err != nil {
			return err
		}
	}
}

// begin finds out whose chain it is, and what its first row follows.
func (v *verifier) begin() error {
	tenant := v.opts.Tenant
	if at := v.opts.After; at != nil {
		if at.Tenant == "" || tenant != "" && tenant != at.Tenant {
			return fmt.Errorf("verify the timeline of tenant %q after a report about tenant %q: %w", tenant, at.Tenant, ErrInvalid)
		}
		tenant, v.hash = at.Tenant, at.Hash
		v.report.Last, v.report.Signed, v.report.Pruned = at.Last, at.Signed, at.Pruned
		v.stamps.now = stamp{number: at.Newest, last: at.Signed, digest: at.Digest, time: at.Time}
	} else {
		line, cut, err := v.read()
		if err == errEnd || cut {
			return v.fail(Truncated, "there is no first line")
		}
		if err != nil {
			return err
		}
		named, err := parseFirst(line)
		if err != nil {
			return v.fail(Malformed, err.Error())
		}
		if tenant == "" {
			tenant = named
		}
		if named != tenant {
			return v.fail(Malformed, fmt.Sprintf("it is the timeline of %.80q, not of %.80q", named, tenant))
		}
		v.hash = sha256.Sum256(v.field(v.field(nil, "stella.timeline.chain.v1"), tenant))
	}
	v.report.Tenant, v.report.First, v.report.Hash = tenant, v.report.Last+1, v.hash
	v.stamps.tenant, v.more = tenant, v.opts.Checkpoints != nil
	return nil
}

func (v *verifier) field(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func (v *verifier) bytes(b, s []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func (v *verifier) number(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(n))
}

// link is the hash of a row that follows another.
func (v *verifier) link(r *row, before *Hash) Hash {
	b := v.field(v.scrap[:0], "stella.timeline.row.v1")
	b = v.number(v.bytes(b, before[:]), r.seq)
	b = v.bytes(v.bytes(v.bytes(b, r.topic), r.id), r.kind)
	b = v.bytes(v.number(v.number(b, r.time), r.indexed), r.digest[:])
	v.scrap = b
	return sha256.Sum256(b)
}

// row checks the row that comes next.
func (v *verifier) row(r *row) error {
	seq := v.report.Last + 1
	for v.more && v.stamps.now.last < seq {
		var err error
		if v.more, err = v.stamps.next(); err != nil {
			return err
		}
	}
	switch {
	case r.seq > seq:
		return v.gap(r, seq)
	case r.seq < seq:
		if r.seq == seq-1 && r.seq >= v.report.First && r.hash != v.hash && v.link(r, &v.before) == r.hash {
			v.report.Last-- // which of both it was nobody knows
			return v.fail(Fork, "two rows follow the one before")
		}
		return v.fail(Inserted, fmt.Sprintf("row %d stands there again", r.seq))
	}
	if err := v.follows(r); err != nil {
		return err
	}
	if r.body == nil {
		if err := v.lacks(seq); err != nil {
			return err
		}
	} else if v.report.Bodies++; sha256.Sum256(r.body) != r.digest {
		return v.fail(Body, "its digest is not the one of the row")
	}
	if string(r.topic) == "timeline" && string(r.kind) == "timeline.pruned" {
		if err := v.pruned(r); err != nil {
			return err
		}
	}
	v.before, v.hash = v.hash, r.hash
	v.report.Last, v.report.Hash = seq, r.hash
	if v.stamps.now.last >= seq {
		v.report.Signed = seq
	}
	return nil
}

// follows checks that the row has its hash and its mark.
func (v *verifier) follows(r *row) error {
	want := v.link(r, &v.hash)
	s := &v.stamps.now
	covered := r.seq >= s.first && r.seq <= s.last
	switch {
	case covered && !bytes.Equal(s.mark(r.seq), want[:markBytes]):
		if want != r.hash {
			return v.bad(r.seq, Altered, Inserted, "it does not have the hash that it had")
		}
		return v.bad(r.seq, Rewritten, Fork, "it follows from the rows before, and another one was signed")
	case want != r.hash:
		return v.bad(r.seq, Altered, Inserted, "it does not have the hash that it had")
	case covered && r.seq == s.last && want != s.hash:
		return v.fail(Rewritten, "another one was signed")
	}
	return nil
}

// bad is an error with another reason where a row of the same number comes later.
func (v *verifier) bad(seq int64, r, twice Reason, detail string) error {
	e := v.fail(r, detail).(*Error)
	if v.later(seq) {
		e.Reason, e.Detail = twice, detail+"; another row of its number follows"
	}
	return e
}

// gap says why a row with a larger number stands there.
func (v *verifier) gap(r *row, seq int64) error {
	e := v.fail(Missing, fmt.Sprintf("row %d stands there", r.seq)).(*Error)
	if v.later(seq) {
		e.Reason = Reordered
	}
	return e
}

// later looks whether a row comes later. Something is wrong already.
func (v *verifier) later(seq int64) bool {
	var r row
	for {
		line, _, err := v.read()
		if err != nil {
			return false
		}
		if parseRow(line, &r) == nil && r.seq == seq {
			return true
		}
	}
}

// lacks notes a row without a body.
func (v *verifier) lacks(seq int64) error {
	if seq <= v.report.Pruned {
		return nil
	}
	if n := len(v.runs); n > 0 && v.runs[n-1].last == seq-1 {
		v.runs[n-1].last = seq
		return nil
	}
	if len(v.runs) == maxRuns {
		return v.fail(Body, fmt.Sprintf("bodies are missing in more than %d places", maxRuns))
	}
	v.runs = append(v.runs, run{seq, seq})
	return nil
}

// pruned reads a row that says which bodies were deleted: it stands in its id, so that it
// holds after its own body went.
func (v *verifier) pruned(r *row) error {
	text, ok := strings.CutPrefix(string(r.id), "timeline/pruned/")
	last, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || text != strconv.FormatInt(last, 10) || last <= v.report.Pruned || last >= r.seq {
		return v.fail(Pruned, fmt.Sprintf("id %.80q", r.id))
	}
	v.report.Pruned = last
	for len(v.runs) > 0 && v.runs[0].last <= last {
		v.runs = v.runs[1:]
	}
	if len(v.runs) > 0 {
		v.runs[0].first = max(v.runs[0].first, last+1)
	}
	return nil
}

// end compares with what the export says of its end, and with what was signed of it.
func (v *verifier) end(line []byte) error {
	seq, hash, err := parseEnd(line)
	last := v.report.Last
	switch {
	case err != nil:
		return v.fail(Malformed, err.Error())
	case seq > last:
		return v.fail(Truncated, fmt.Sprintf("the last row is %d, and this is the end after row %d", seq, last))
	case seq < last:
		return &Error{Reason: Inserted, Seq: seq + 1, Line: v.line, Detail: fmt.Sprintf("the last row is %d", seq)}
	case hash != v.hash:
		return v.fail(Malformed, "the last line has another hash than the last row")
	}
	if rest, _, err := v.read(); err != errEnd {
		if err == nil {
			err = v.fail(Malformed, fmt.Sprintf("%.60q after the last line", rest))
		}
		return err
	}
	for v.more {
		if v.more, err = v.stamps.next(); err != nil {
			return err
		}
		if s := &v.stamps.now; s.last > last {
			return &Error{Reason: Truncated, Seq: last + 1, Checkpoint: s.number, Detail: fmt.Sprintf("rows up to %d were signed", s.last)}
		}
	}
	if len(v.runs) > 0 {
		return &Error{Reason: Body, Seq: v.runs[0].first, Detail: "it is missing, and no row says so"}
	}
	if seen := v.opts.Seen; seen != nil && !v.stamps.met {
		return &Error{Reason: Checkpoint, Seq: v.stamps.now.last + 1, Checkpoint: v.stamps.now.number + 1, Detail: fmt.Sprintf("checkpoint %d was seen, and is missing", seen.Number)}
	}
	return nil
}
