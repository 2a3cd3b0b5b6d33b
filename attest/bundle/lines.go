package bundle

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/attest/dsse"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// LinesMediaType is the media type of JSON Lines of attestations.
const LinesMediaType = "application/vnd.in-toto.bundle"

// MaxItems is how many lines are read or written.
const MaxItems = 1 << 14

// Item is one line: an Envelope, a Bundle, or neither.
type Item struct {
	Envelope *dsse.Envelope
	Bundle   *Bundle
	// Other is the JSON object of a line that is neither. The framework has
	// consumers ignore it; here the caller sees what is ignored. It is not written.
	Other []byte
	// Line and Offset say where a read item begins: the line counted from 1, and
	// the bytes before it.
	Line   int
	Offset int64
}

// ReaderOptions are the details of a [Reader].
type ReaderOptions struct {
	// Digest is the digest that the text must have, "sha256:…". Without it nobody
	// can tell that whole lines are missing, or that others were put in: nothing
	// signs the lines together. It is checked at the end, so what is read before
	// io.EOF must not count yet.
	Digest string
	// MaxItems bounds the lines. 0 means the constant MaxItems.
	MaxItems int
}

// Reader reads JSON Lines of attestations one by one. It is not safe for
// concurrent use.
type Reader struct {
	r      *bufio.Reader
	opt    ReaderOptions
	hash   hash.Hash
	line   int
	offset int64
	err    error
}

// NewReader returns a reader of r. Nil options are the zero value.
func NewReader(r io.Reader, opt *ReaderOptions) *Reader {
	lines := &Reader{r: bufio.NewReaderSize(r, 64<<10), hash: sha256.New()}
	if opt != nil {
		lines.opt = *opt
	}
	if lines.opt.MaxItems == 0 {
		lines.opt.MaxItems = MaxItems
	}
	if lines.opt.Digest != "" && !sum.Is(lines.opt.Digest) {
		lines.err = fmt.Errorf("lines of attestations: %.80q is no digest: %w", lines.opt.Digest, fault.Invalid)
	}
	return lines
}

// Next returns the next item, and io.EOF after the last. Refused are an empty
// line, a line of more than MaxBundle bytes, and one that is not one JSON object
// or is a broken envelope or bundle. A last line without a line feed counts if it
// is whole. Errors name line and offset, and say it again in every further call;
// they wrap what [Decode] and [dsse.Decode] do, ErrMismatch for text of another
// digest, or what reading failed with.
func (r *Reader) Next() (*Item, error) {
	if r.err != nil {
		return nil, r.err
	}
	item, err := r.next()
	if err != nil {
		r.err = err
		return nil, err
	}
	return item, nil
}

func (r *Reader) next() (*Item, error) {
	at, start := r.line+1, r.offset
	fail := func(err error) error {
		return fmt.Errorf("lines of attestations: line %d at byte %d: %w", at, start, err)
	}
	text, err := r.read()
	switch {
	case err == io.EOF:
		if want := r.opt.Digest; want != "" && r.Digest() != want {
			return nil, &fault.MismatchError{What: "digest of the lines of attestations", Want: want, Got: r.Digest()}
		}
		return nil, io.EOF
	case err != nil:
		return nil, fail(err)
	case at > r.opt.MaxItems:
		return nil, fail(&fault.LimitError{What: "lines", Where: "lines of attestations", Max: int64(r.opt.MaxItems), Seen: int64(at)})
	}
	item, err := decodeLine(text)
	if err != nil {
		return nil, fail(err)
	}
	item.Line, item.Offset = at, start
	return item, nil
}

// read returns a line without its line feed, and io.EOF where there is none.
func (r *Reader) read() ([]byte, error) {
	var line []byte
	for {
		part, err := r.r.ReadSlice('\n')
		r.hash.Write(part)
		r.offset += int64(len(part))
		if len(line)+len(part) > MaxBundle+1 {
			return nil, tooMany("bytes of a line", MaxBundle, 0)
		}
		line = append(line, part...)
		switch {
		case err == nil:
			r.line++
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && len(line) > 0:
			r.line++
			return line, nil
		}
		return nil, err
	}
}

// Digest returns the digest of what was read: that of the text once Next has
// returned io.EOF.
func (r *Reader) Digest() string { return "sha256:" + hex.EncodeToString(r.hash.Sum(nil)) }

// ReadAll returns all items, or none where Next would have an error. It holds them
// in memory.
func ReadAll(r io.Reader, opt *ReaderOptions) ([]Item, error) {
	var items []Item
	for lines := NewReader(r, opt); ; {
		item, err := lines.Next()
		switch {
		case err == io.EOF:
			return items, nil
		case err != nil:
			return nil, err
		}
		items = append(items, *item)
	}
}

// decodeLine tells what a line is by the member that only one of the kinds has.
func decodeLine(text []byte) (*Item, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("the line is empty: %w", fault.Invalid)
	}
	var head struct {
		MediaType   jsontext.Value `json:"mediaType"`
		PayloadType jsontext.Value `json:"payloadType"`
	}
	if jsontext.Value(text).Kind() != '{' {
		return nil, fmt.Errorf("the line is not a JSON object: %w", fault.Invalid)
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", err, fault.Invalid)
	}
	var err error
	item := new(Item)
	switch {
	case head.MediaType != nil && head.PayloadType != nil:
		return nil, fmt.Errorf("both mediaType and payloadType: an envelope or a bundle: %w", fault.Invalid)
	case head.PayloadType != nil:
		item.Envelope, err = dsse.Decode(text)
	case isSigstore(head.MediaType):
		item.Bundle, err = Decode(text)
	default:
		item.Other = bytes.Clone(bytes.TrimSpace(text))
	}
	return item, err
}

// isSigstore reports whether a media type is that of a Sigstore bundle, of
// whatever version.
func isSigstore(mediaType jsontext.Value) bool {
	var s string
	return json.Unmarshal(mediaType, &s) == nil && len(s) >= len(mediaTypeBase) && s[:len(mediaTypeBase)] == mediaTypeBase
}

// Encode returns items as JSON Lines, each line canonical and ended by a line
// feed: equal items give equal bytes, of which the digest can be kept or signed
// before they are written anywhere. An item is an envelope or a bundle. Errors
// name the item, counted from 1, and wrap what [Bundle.Encode] and
// [dsse.Envelope.Encode] do.
func Encode(items []Item) ([]byte, error) {
	var out bytes.Buffer
	if err := Write(&out, items); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Write is [Encode] to a writer. After an error part of the lines may have been
// written.
func Write(w io.Writer, items []Item) error {
	if len(items) > MaxItems {
		return &fault.LimitError{What: "lines", Where: "lines of attestations", Max: MaxItems, Seen: int64(len(items))}
	}
	for i := range items {
		line, err := items[i].encode()
		if err == nil {
			_, err = w.Write(append(line, '\n'))
		}
		if err != nil {
			return fmt.Errorf("lines of attestations: item %d: %w", i+1, err)
		}
	}
	return nil
}

func (i *Item) encode() ([]byte, error) {
	switch {
	case i.Other != nil || (i.Envelope == nil) == (i.Bundle == nil):
		return nil, fmt.Errorf("want either an envelope or a bundle: %w", fault.Invalid)
	case i.Bundle != nil:
		return i.Bundle.Encode()
	}
	return i.Envelope.Encode()
}
