package timeline

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
)

const timeFormat = "2006-01-02T15:04:05.000000Z"

// Export writes a tenant's chain up to its head, as the package's comment says. After 0
// it begins with the first line; after the seq of a row it goes on with the next one, so
// what was cut behind that row can be completed by appending. An error wraps ErrMismatch
// where rows are missing: what was written then lacks its last line.
func Export(ctx context.Context, w io.Writer, tenant string, c Chain, after int64) error {
	fail := func(err error) error {
		return fmt.Errorf("export the timeline of tenant %s: %w", tenant, err)
	}
	head, err := c.Head(ctx)
	if err != nil {
		return fail(err)
	}
	if after < 0 || after > head.Seq {
		return fail(fmt.Errorf("there is no row %d to go on after, the last one is %d: %w", after, head.Seq, fault.Invalid))
	}
	out := bufio.NewWriterSize(w, 64<<10)
	var line []byte
	if after == 0 {
		if line, err = jsontext.AppendQuote([]byte(`{"first":1,"format":"stella.timeline.v1","tenant":`), tenant); err != nil {
			return fail(fmt.Errorf("tenant: %v: %w", err, fault.Invalid))
		}
		if _, err := out.Write(append(line, '}', '\n')); err != nil {
			return fail(err)
		}
	}
	for after < head.Seq {
		page, err := c.Find(ctx, Query{After: after, Limit: MaxPage})
		if err != nil {
			return fail(err)
		}
		if len(page.Entries) == 0 {
			return fail(fmt.Errorf("rows from %d to %d are missing: %w", after+1, head.Seq, fault.Mismatch))
		}
		for i := range page.Entries {
			e := &page.Entries[i]
			if after = e.Seq; after > head.Seq {
				break
			}
			if line, err = e.line(line[:0]); err == nil {
				_, err = out.Write(line)
			}
			if err != nil {
				return fail(err)
			}
		}
	}
	if _, err := fmt.Fprintf(out, "{\"end\":%d,\"hash\":%q}\n", head.Seq, head.Hash); err != nil {
		return fail(err)
	}
	if err := out.Flush(); err != nil {
		return fail(err)
	}
	return nil
}

// line appends the entry as a line of an export.
func (e *Entry) line(b []byte) ([]byte, error) {
	b = append(b, '{')
	if e.Body != nil {
		b = append(append(append(b, `"body":`...), e.Body...), ',')
	}
	b = append(append(append(b, `"digest":"`...), e.Digest.String()...), `","hash":"`...)
	b = append(append(b, e.Hash.String()...), `","id":`...)
	b, err := jsontext.AppendQuote(b, e.Event)
	if err != nil {
		return nil, fmt.Errorf("id of row %d: %v: %w", e.Seq, err, fault.Invalid)
	}
	b = e.Indexed.UTC().AppendFormat(append(b, `,"indexed":"`...), timeFormat)
	b = strconv.AppendInt(append(b, `","seq":`...), e.Seq, 10)
	b = e.Time.UTC().AppendFormat(append(b, `,"time":"`...), timeFormat)
	for _, m := range [][2]string{{`","topic":`, e.Topic}, {`,"type":`, string(e.Type)}} {
		if b, err = jsontext.AppendQuote(append(b, m[0]...), m[1]); err != nil {
			return nil, fmt.Errorf("%s of row %d: %v: %w", m[0][2:], e.Seq, err, fault.Invalid)
		}
	}
	return append(b, '}', '\n'), nil
}
