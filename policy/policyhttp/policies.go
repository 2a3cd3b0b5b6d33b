package policyhttp

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/policy"
)

const yaml = "application/yaml"

func (h *Handler) policies(c *call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	list, next, err := c.store.Revisions(c.r.Context(), c.query.Get("after"), limit)
	if err != nil {
		return httpjson.QueryFault(err)
	}
	return c.answer(http.StatusOK, revisionPage{append([]policy.Revision{}, list...), next})
}

// add keeps a version of a policy.
func (h *Handler) add(c *call) error {
	text, err := c.text()
	if err != nil {
		return err
	}
	p, err := h.parse("policy", text)
	if err != nil {
		return err
	}
	if !isName(p.ID, maxName) || slices.Contains(reserved, p.ID) {
		return fmt.Errorf("policy: id %.80q: want up to %d printable ASCII characters without a slash, and none of %s: %w", p.ID, maxName, strings.Join(reserved, ", "), fault.Invalid)
	}
	r, repeated, err := c.store.Add(c.r.Context(), p, text, c.who.Subject)
	if err != nil {
		return err
	}
	header := c.w.Header()
	header.Set("Location", fmt.Sprintf("%s/policies/%s/versions/%d", root, r.ID, r.Version))
	if repeated {
		header.Set(ReplayedHeader, "true")
	}
	return c.answer(http.StatusCreated, r)
}

// text reads the text of a policy. JSON is YAML.
func (c *call) text() ([]byte, error) {
	types := c.r.Header.Values("Content-Type")
	media := ""
	if len(types) == 1 {
		media, _, _ = mime.ParseMediaType(types[0])
	}
	encoding := c.r.Header.Get("Content-Encoding")
	if media != yaml && media != "application/json" || encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, &httpjson.Error{Status: http.StatusUnsupportedMediaType, Err: fmt.Errorf("want one Content-Type, %s or application/json, and the body as it is: %w", yaml, fault.Unsupported)}
	}
	text, err := io.ReadAll(io.LimitReader(c.r.Body, MaxPolicy+1))
	if err != nil {
		return nil, httpjson.BadRequest("read the body: it ended early")
	}
	if len(text) > MaxPolicy {
		return nil, &fault.LimitError{What: "bytes of a policy", Where: "request", Max: MaxPolicy}
	}
	return text, nil
}

// parse reads a policy and checks that it can be evaluated.
func (h *Handler) parse(name string, text []byte) (*policy.Policy, error) {
	p, err := h.Parse(name, text)
	if err == nil {
		compile := h.Compile
		if compile == nil {
			compile = func(p *policy.Policy) (*policy.Engine, error) { return policy.Compile(p, nil) }
		}
		_, err = compile(p)
	}
	if err != nil {
		return nil, explained(err)
	}
	return p, nil
}

// explained is what is wrong with a text, which the client has sent: it may know all
// of it, line by line.
func explained(err error) error {
	for _, kind := range []fault.Kind{fault.Invalid, fault.Unsupported, fault.Limit} {
		var l *fault.LimitError
		if errors.Is(err, kind) && !errors.As(err, &l) {
			return &httpjson.Error{Extra: map[string]any{"diagnostics": strings.Split(err.Error(), "\n")}, Err: fmt.Errorf("%v: %w", err, kind)}
		}
	}
	return err
}

func (h *Handler) policy(c *call) error {
	version, err := c.version()
	if err != nil {
		return err
	}
	r, err := c.store.Revision(c.r.Context(), c.r.PathValue("policy_id"), version)
	if err != nil {
		return err
	}
	return c.tag(r)
}

func (h *Handler) source(c *call) error {
	version, err := c.version()
	if err != nil {
		return err
	}
	r, err := c.store.Revision(c.r.Context(), c.r.PathValue("policy_id"), version)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	c.tagged(yaml, r.Source, true)
	return nil
}

func (h *Handler) activate(c *call) error {
	var body activation
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	version, err := c.version()
	if err != nil {
		return err
	}
	a, err := c.store.Activate(c.r.Context(), policy.Activation{
		Environment: body.Environment, Policy: policy.Named{ID: c.r.PathValue("policy_id"), Version: version}, Controls: body.Controls,
		Rollback: body.Rollback, Reason: body.Reason, By: c.who.Subject,
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, a)
}

func (h *Handler) deactivate(c *call) error {
	var body ending
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	a, err := c.store.Activate(c.r.Context(), policy.Activation{Environment: body.Environment, Reason: body.Reason, By: c.who.Subject})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, a)
}

func (h *Handler) activations(c *call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	before, err := httpjson.After(c.query, 64)
	if err != nil {
		return err
	}
	list, err := c.store.Activations(c.r.Context(), before, limit)
	if err != nil {
		return httpjson.QueryFault(err)
	}
	page := activationPage{Activations: append([]policy.Activation{}, list...)}
	if len(list) == limit && list[limit-1].Number > 1 {
		page.Next = list[limit-1].Number
	}
	return c.answer(http.StatusOK, page)
}

func (h *Handler) simulate(c *call) error {
	var body Simulation
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	if h.Simulate == nil {
		return fmt.Errorf("nothing is simulated here: %w", fault.Unsupported)
	}
	if !isScan(body.ScanID) {
		return fmt.Errorf("scan %.80q: %w", body.ScanID, fault.NotFound)
	}
	p, err := h.parse("policy", []byte(body.Policy))
	if err != nil {
		return err
	}
	at := body.At
	if at.IsZero() {
		at = time.Now()
		if h.Now != nil {
			at = h.Now()
		}
	}
	r, err := h.Simulate(c.r.Context(), c.who.Tenant, policy.Request{ScanID: body.ScanID, Environments: []string{body.Environment}, At: at, Cause: "simulation"}, p)
	if err != nil {
		if errors.Is(err, fault.Mismatch) { // of what is kept, and not of what was sent
			err = fmt.Errorf("simulate: %v", err)
		}
		return err
	}
	out := Simulated{Outcome: r.Outcome, Because: r.Because, Blocking: r.Blocking, Verdict: r.Body}
	if body.Trace {
		out.Trace = r.Trace
	}
	return c.answer(http.StatusOK, out)
}
