package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/internal/fault"
)

// maxPart bounds one part of a path, in bytes: file systems have at most 255.
const maxPart = 240

// Path returns where a [Dir] has an address: <host>/<path>, slash-separated. A
// port is part of the host, as "host%3A8443"; a query is part of the last name,
// as "2.0%3FstartIndex=0"; an address that ends with a slash is the file
// "%2F" in its folder. Characters that some file system refuses are escaped as
// in URLs. The scheme is not told. An error wraps ErrInvalid.
func Path(address string) (string, error) {
	u, err := parseURL(address)
	if err != nil {
		return "", fmt.Errorf("path of %s: %w", shown(address), err)
	}
	text := strings.TrimPrefix(u.EscapedPath(), "/")
	if text == "" || strings.HasSuffix(text, "/") {
		text += "%2F"
	}
	if u.RawQuery != "" {
		text += "?" + strings.ReplaceAll(u.RawQuery, "/", "%2F")
	}
	parts := append([]string{strings.ToLower(u.Host)}, strings.Split(text, "/")...)
	for i, part := range parts {
		parts[i] = escape(part)
		if part == "" || len(parts[i]) > maxPart {
			return "", fmt.Errorf("path of %s: a part of it has no or over %d bytes: %w", shown(address), maxPart, fault.Invalid)
		}
	}
	return strings.Join(parts, "/"), nil
}

// escape escapes what is not safe in the name of a file, and names of dots.
func escape(part string) string {
	if strings.Trim(part, ".") == "" {
		return strings.ReplaceAll(part, ".", "%2E")
	}
	var b strings.Builder
	for i := range len(part) {
		switch c := part[i]; {
		case c <= ' ' || c >= 0x7f || strings.IndexByte(`<>:"\|?*`, c) >= 0:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Dir is the door to a folder that is laid out as [Path] says: a copy of what
// publishers publish. It asks no network. Links that lead out of the folder are
// refused. A file counts as unchanged by its size and time. The string is the
// folder's path. It is safe for concurrent use.
type Dir string

// Open opens a file; see [advisory.Door].
func (d Dir) Open(ctx context.Context, r advisory.Request) (*advisory.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, err := Path(r.URL)
	if err != nil {
		return nil, err
	}
	where := filepath.Join(string(d), filepath.FromSlash(name))
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", string(d), fileError(err))
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", where, fileError(err))
	}
	out, err := fileResponse(f, where, r)
	if err != nil || out.NotModified {
		f.Close()
	}
	return out, err
}

func fileResponse(f *os.File, where string, r advisory.Request) (*advisory.Response, error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", where, fileError(err))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("open %s: it is not a file: %w", where, fault.NotFound)
	}
	most := r.Max
	if most <= 0 {
		most = MaxAnswer
	}
	if info.Size() > most {
		return nil, fmt.Errorf("open: %w", &fault.LimitError{What: "bytes of a file", Where: where, Max: most, Seen: info.Size()})
	}
	out := &advisory.Response{
		Size: info.Size(), URL: where, Modified: info.ModTime().UTC().Format(http.TimeFormat),
		ETag: fmt.Sprintf("file %d-%d", info.Size(), info.ModTime().UnixNano()),
	}
	if r.ETag == out.ETag {
		out.NotModified, out.Size = true, -1
		return out, nil
	}
	out.Body = &file{f: f, left: info.Size(), where: where}
	return out, nil
}

// fileError gives an error of the file system its kind.
func fileError(err error) error {
	kind := fault.Unavailable
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind = fault.NotFound
	case errors.Is(err, fs.ErrPermission):
		kind = fault.Forbidden
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
		if kind == fault.Unavailable && strings.Contains(err.Error(), "escapes") {
			kind = fault.Forbidden
		}
	}
	return fmt.Errorf("%v: %w", err, kind)
}

// file reads exactly as many bytes as the file had when it was opened.
type file struct {
	f     *os.File
	left  int64
	where string
}

// Read reads on.
func (f *file) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	n, err := f.f.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	if err != nil && (err != io.EOF || f.left > 0) {
		return n, fmt.Errorf("read %s: %v with %d bytes left: %w", f.where, err, f.left, fault.Unavailable)
	}
	return n, nil
}

// Close closes the file.
func (f *file) Close() error { return f.f.Close() }

// Chain is several doors. One that has no answer is followed by the next; the
// error is the last door's.
type Chain []advisory.Door

// Open asks the doors in order; see [advisory.Door].
func (c Chain) Open(ctx context.Context, r advisory.Request) (*advisory.Response, error) {
	err := fmt.Errorf("open %s: there is no door: %w", shown(r.URL), fault.Forbidden)
	for _, door := range c {
		var out *advisory.Response
		if out, err = door.Open(ctx, r); err == nil || ctx.Err() != nil {
			return out, err
		}
	}
	return nil, err
}

// hostOf returns the host of an address, for lists of hosts.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
