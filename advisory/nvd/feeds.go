package nvd

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/feed"
	"github.com/stella-ops/stella/advisory/internal/feedtext"
	"github.com/stella-ops/stella/internal/fault"
)

const (
	firstYear = 2002
	knownYear = 2025 // feeds up to here exist; a year without one ends the list
	lastYear  = 2999
	// recent is how long ago a run may be so that the feed of what was modified,
	// which has eight days, holds all since then.
	recent = 7 * 24 * time.Hour
)

// feedState is the state after a run: everything up to the feed of what was
// modified, as of a time, is known.
type feedState struct {
	Modified string `json:"modified"` // RFC 3339
	Digest   string `json:"digest"`   // of that feed
	Last     int    `json:"last"`     // the last year that had a feed
}

// meta is the file beside a feed.
type meta struct {
	modified time.Time
	size     int64
	digest   string // hex, lower case
}

// feeds reads the data feeds: the one of what was modified if it reaches back
// far enough, else all.
func (r *run) feeds(state []byte) (*advisory.Fetched, error) {
	var known feedState
	if json.Unmarshal(state, &known) != nil {
		known = feedState{}
	}
	m, err := r.meta("modified")
	if err != nil {
		return nil, err
	}
	if known.Digest == m.digest {
		return &advisory.Fetched{State: state, Unchanged: true}, nil
	}
	next := feedState{Modified: m.modified.UTC().Format(time.RFC3339), Digest: m.digest, Last: max(known.Last, knownYear)}
	since, err := time.Parse(time.RFC3339, known.Modified)
	if err == nil && m.modified.Sub(since) < recent && !m.modified.Before(since) {
		if err := r.feed("modified"); err != nil {
			return nil, err
		}
		return next.fetched(false)
	}
	for year := max(r.Since, firstYear); year <= lastYear; year++ {
		err := r.feed(strconv.Itoa(year))
		if errors.Is(err, fault.NotFound) && year > next.Last {
			break
		}
		if err != nil {
			return nil, err
		}
		next.Last = max(next.Last, year)
	}
	return next.fetched(true)
}

func (s feedState) fetched(complete bool) (*advisory.Fetched, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write the state of NVD: %v: %w", err, fault.Invalid)
	}
	return &advisory.Fetched{State: text, Complete: complete}, nil
}

// feed reads one feed, once more if it is replaced just then.
func (r *run) feed(name string) error {
	err := r.checked(name)
	if errors.Is(err, fault.Mismatch) {
		err = r.checked(name)
	}
	return err
}

// checked reads one feed, checks it, and only then passes its CVEs on.
func (r *run) checked(name string) error {
	want, err := r.meta(name)
	if err != nil {
		return err
	}
	address := r.file(name, ".json.gz")
	spooled, resp, err := feed.Spool(r.ctx, r.door, advisory.Request{URL: address})
	if err != nil {
		return err
	}
	if spooled == nil {
		return fmt.Errorf("fetch %s: the answer says unmodified to who knows nothing: %w", address, fault.Invalid)
	}
	defer spooled.Close()
	h := sha256.New()
	size, err := unzip(spooled, func(in io.Reader) (int64, error) { return io.Copy(h, in) })
	if err != nil {
		return fmt.Errorf("unpack %s: %w", resp.URL, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want.digest || size != want.size {
		return fmt.Errorf("fetch %s: %w", resp.URL, &fault.MismatchError{
			What: "feed", Want: fmt.Sprintf("sha256:%s of %d bytes", want.digest, want.size), Got: fmt.Sprintf("sha256:%s of %d bytes", got, size)})
	}
	if _, err := spooled.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read %s again: %v: %w", resp.URL, err, fault.Unavailable)
	}
	_, err = unzip(spooled, func(in io.Reader) (int64, error) {
		_, err := r.split(in, resp.URL)
		return 0, err
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", resp.URL, err)
	}
	return nil
}

// unzip reads what a file unpacks to, of at most MaxBytes.
func unzip(f io.Reader, read func(io.Reader) (int64, error)) (int64, error) {
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 256<<10))
	if err != nil {
		return 0, fmt.Errorf("%v: %w", err, fault.Invalid)
	}
	in := &limited{r: z}
	n, err := read(in)
	if in.err != nil {
		return n, in.err
	}
	return n, err
}

// limited reads at most MaxBytes, and keeps the error that ended it.
type limited struct {
	r   io.Reader
	n   int64
	err error
}

// Read reads on.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.n += int64(n); l.n > MaxBytes {
		err = &fault.LimitError{What: "bytes, unpacked", Where: "the feed", Max: MaxBytes}
	}
	if err != nil && err != io.EOF {
		if !errors.Is(err, fault.Limit) {
			err = fmt.Errorf("%v: %w", err, fault.Invalid)
		}
		l.err = err
	}
	return n, err
}

// file is the address of a file of the feeds.
func (r *run) file(name, end string) string { return r.address() + "nvdcve-2.0-" + name + end }

// meta reads the file beside a feed: lines of "name:value".
func (r *run) meta(name string) (meta, error) {
	address := r.file(name, ".meta")
	content, _, err := r.read(address)
	if err != nil {
		return meta{}, err
	}
	m := meta{size: -1}
	for line := range bytes.Lines(content) {
		key, value, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
		switch key {
		case "lastModifiedDate":
			m.modified, _ = time.Parse(time.RFC3339, feedtext.Time(value))
		case "size":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				m.size = n
			}
		case "sha256":
			m.digest = strings.ToLower(value)
		}
	}
	if m.modified.IsZero() || m.size < 0 || len(m.digest) != 2*sha256.Size || strings.Trim(m.digest, "0123456789abcdef") != "" {
		return meta{}, fmt.Errorf("fetch %s: it lacks a time, a size or a digest: %w", address, fault.Invalid)
	}
	return m, nil
}
