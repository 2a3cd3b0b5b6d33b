package attesthttp

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
)

// route is one method of one path of a handler.
type route[H any] struct {
	method, path string
	operator     bool     // for operators only
	query        []string // the keys that exist
	serve        func(*H, *call) error
}

// call is one request on its way.
type call struct {
	mux   *httpjson.Mux
	w     http.ResponseWriter
	r     *http.Request
	who   Identity
	query url.Values
}

// mount makes routes those of a mux.
func mount[H any](m *httpjson.Mux, h *H, routes []route[H], identify func(*http.Request) (Identity, error)) {
	for i := range routes {
		rt := &routes[i]
		m.Handle(rt.method, rt.path, func(w http.ResponseWriter, r *http.Request) error {
			c := &call{mux: m, w: w, r: r}
			if err := c.admit(rt.method, rt.path, rt.operator, rt.query, identify); err != nil {
				return err
			}
			return rt.serve(h, c)
		})
	}
}

// admit finds out who calls, for what, and about what.
func (c *call) admit(method, path string, operator bool, query []string, identify func(*http.Request) (Identity, error)) error {
	var err error
	if c.who, err = identify(c.r); err != nil {
		return err
	}
	if c.who.Tenant == "" {
		return fmt.Errorf("the identity %.80q belongs to no tenant: %w", c.who.Subject, fault.Forbidden)
	}
	if operator && !c.who.Operator {
		return fmt.Errorf("%s %s is not for %.80q: %w", method, path, c.who.Subject, fault.Forbidden)
	}
	if c.query, err = httpjson.Query(c.r, query); err != nil {
		return err
	}
	if id := c.r.PathValue("scan_id"); id != "" && !isScan(id) {
		return fmt.Errorf("scan %.80q: %w", id, fault.NotFound)
	}
	if id := c.r.PathValue("attestation_id"); id != "" && !sum.Is(id) {
		return fmt.Errorf("attestation %.80q: %w", id, fault.NotFound)
	}
	return nil
}

// scan reads the scan that a query names; "" where it names none. What no scan can be
// called is not there.
func (c *call) scan() (string, error) {
	id := c.query.Get("scan_id")
	if c.query.Has("scan_id") && !isScan(id) {
		return "", fmt.Errorf("scan %.80q: %w", id, fault.NotFound)
	}
	return id, nil
}

// yes reads a key that is true or false.
func (c *call) yes(key string) (bool, error) {
	switch text := c.query.Get(key); {
	case text == "true":
		return true, nil
	case text == "false" || !c.query.Has(key):
		return false, nil
	default:
		return false, httpjson.BadRequest("query: %s %.20q: want true or false", key, text)
	}
}

// number reads a number from 1 to most; 0 where the query does not say.
func (c *call) number(key string, most int) (int, error) {
	if !c.query.Has(key) {
		return 0, nil
	}
	n, err := strconv.Atoi(c.query.Get(key))
	if err != nil || n < 1 || n > most {
		return 0, httpjson.BadRequest("query: %s %.20q: want 1 to %d", key, c.query.Get(key), most)
	}
	return n, nil
}

// list reads values with commas between them.
func (c *call) list(key string) ([]string, error) {
	if !c.query.Has(key) {
		return nil, nil
	}
	out := strings.Split(c.query.Get(key), ",")
	for _, s := range out {
		if s == "" || len(out) > 64 {
			return nil, httpjson.BadRequest("query: %s: want 1 to 64 values with commas between them", key)
		}
	}
	return out, nil
}

// bodyType is the media type of a body, which is one of those in a list, in UTF-8 and
// not compressed.
func (c *call) bodyType(known ...string) (string, error) {
	refuse := func(format string, args ...any) error {
		return &httpjson.Error{Status: http.StatusUnsupportedMediaType, Extra: map[string]any{"media_types": known}, Err: fmt.Errorf(format+": %w", append(args, fault.Unsupported)...)}
	}
	if e := c.r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return "", refuse("Content-Encoding %.40q: send the body as it is", e)
	}
	types := c.r.Header.Values("Content-Type")
	if len(types) != 1 {
		return "", refuse("%d Content-Type headers: want one, of %s", len(types), strings.Join(known, ", "))
	}
	t, params, err := mime.ParseMediaType(types[0])
	for _, k := range known {
		if err == nil && t == k && (params["charset"] == "" || strings.EqualFold(params["charset"], "utf-8")) {
			return t, nil
		}
	}
	return "", refuse("Content-Type %.80q: want %s", types[0], strings.Join(known, ", "))
}

// answer gives what may change at any time.
func (c *call) answer(status int, v any) error {
	c.w.Header().Set("Cache-Control", "no-store")
	return httpjson.Write(c.w, status, v)
}

// announce says what the bytes of an answer are before they come: their digest as entity
// tag and as fields of RFC 9530. part says that only a part of them comes.
func (c *call) announce(digest string, part bool) {
	h := c.w.Header()
	h.Set("ETag", httpjson.Tag(digest))
	raw, _ := hex.DecodeString(strings.TrimPrefix(digest, "sha256:"))
	field := "sha-256=:" + base64.StdEncoding.EncodeToString(raw) + ":"
	h.Set("Repr-Digest", field)
	if !part {
		h.Set("Content-Digest", field)
	}
}

// bytes gives bytes with their digest, or says that the client has them.
func (c *call) bytes(mediaType string, body []byte) {
	c.w.Header().Set("Cache-Control", "private, no-cache") // asked for again each time
	if c.r.Method != http.MethodPost && httpjson.Unchanged(c.w, c.r, sum.Of(body)) {
		return
	}
	c.announce(sum.Of(body), false)
	httpjson.WriteBytes(c.w, http.StatusOK, mediaType, body)
}

// damaged tells the operator of what is kept and is not what it was.
func (c *call) damaged(err error) error {
	return &httpjson.Error{Status: http.StatusInternalServerError, RequestID: c.mux.Tell(c.r, err), Err: fmt.Errorf("the data is damaged where it is kept: %w", fault.Mismatch)}
}

// inside takes the kind from an error, unless trying later helps: it is about this
// service, and not about what was sent.
func inside(what string, err error) error {
	if err == nil || errors.Is(err, fault.Unavailable) {
		return err
	}
	return fmt.Errorf("%s: %v", what, err)
}
