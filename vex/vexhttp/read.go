package vexhttp

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/internal/sum"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/ingest"
)

// filter is what statements or decisions are asked for.
type filter struct{ vulnerability, product string }

func (c *call) filter() (f filter, err error) {
	f = filter{c.query.Get("vulnerability"), c.query.Get("product")}
	if !isText(f.vulnerability) {
		return f, badQuery("vulnerability is required, with at most %d bytes and no control characters", maxName)
	}
	if f.product != "" && !isText(f.product) {
		return f, badQuery("product has more than %d bytes, or control characters", maxName)
	}
	f.product = ingest.ProductName(&vex.Product{PURL: f.product})
	return f, nil
}

// of reports whether a statement names the product, or a part of it.
func (f *filter) of(s *vex.Statement) bool {
	if f.product == "" {
		return true
	}
	for i := range s.Products {
		p := &s.Products[i]
		whole := ingest.ProductName(p)
		if whole == f.product {
			return true
		}
		for j := range p.Subcomponents {
			if part := ingest.ProductName(&p.Subcomponents[j]); part == f.product || whole+"#"+part == f.product {
				return true
			}
		}
	}
	return false
}

// decided reports whether a decision is about the product, or a part of it.
func (f *filter) decided(d *vex.Decision) bool {
	whole, part, _ := strings.Cut(d.Product, "#")
	return f.product == "" || d.Product == f.product || whole == f.product || part == f.product
}

// statements answers with a page of what is said about a vulnerability, as of the
// newest head.
func (h *Handler) statements(c *call) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	after := c.query.Get("after")
	if after != "" && !sum.Is(after) {
		return badQuery("after %.80q is not what an earlier page gave", after)
	}
	page := StatementPage{Statements: []Item{}}
	head, err := c.vex.Head(c.r.Context(), 0)
	if errors.Is(err, fault.NotFound) {
		return c.answer(page)
	}
	if err != nil {
		return err
	}
	page.Head = head.Number
	for s, err := range c.vex.Statements(c.r.Context(), head, []string{f.vulnerability}) {
		if err != nil {
			return httpjson.Kept(err)
		}
		if s.ID <= after || !f.of(s) {
			continue
		}
		if len(page.Statements) == MaxPage {
			page.Next = page.Statements[MaxPage-1].ID
			break
		}
		page.Statements = append(page.Statements, Item{s.ID, s})
	}
	return c.answer(page)
}

// consensus answers with a page of what is decided about a vulnerability.
func (h *Handler) consensus(c *call) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	after, err := httpjson.After(c.query, 64)
	if err != nil {
		return err
	}
	list, err := c.vex.Consensus(c.r.Context(), []string{f.vulnerability})
	if err != nil {
		return httpjson.Kept(err)
	}
	page := DecisionPage{Decisions: []vex.Decision{}}
	for i := int(min(after, int64(len(list)))); i < len(list); i++ {
		if !f.decided(&list[i]) {
			continue
		}
		if len(page.Decisions) == MaxPage {
			page.Next = i
			break
		}
		page.Decisions = append(page.Decisions, list[i])
	}
	return c.answer(page)
}

// head answers with a head.
func (h *Handler) head(c *call) error {
	number, err := headNumber(c.r.PathValue("number"))
	if err != nil {
		return err
	}
	head, err := c.vex.Head(c.r.Context(), number)
	if err != nil {
		return err
	}
	if httpjson.Unchanged(c.w, c.r, strconv.FormatInt(head.Number, 10)+"-"+head.Digest[len("sha256:"):]) {
		return nil
	}
	return c.answer(head)
}

// sources answers with how every source stands.
func (h *Handler) sources(c *call) error {
	list, err := c.vex.Sources(c.r.Context())
	if err != nil {
		return err
	}
	return c.answer(sourceList{append([]vex.SourceState{}, list...)})
}

// raw answers with a document as it was published.
func (h *Handler) raw(c *call) error {
	digest := c.r.PathValue("digest")
	d, err := c.vex.Raw(c.r.Context(), digest)
	if err != nil {
		return httpjson.Kept(err)
	}
	if httpjson.Unchanged(c.w, c.r, digest) {
		return nil
	}
	c.w.Header().Set("Content-Disposition", "attachment")
	httpjson.WriteBytes(c.w, http.StatusOK, "application/octet-stream", d.Content)
	return nil
}

// snapshot answers with the file of a set of statements.
func (h *Handler) snapshot(c *call) error {
	if h.File == nil {
		return fmt.Errorf("this service has no snapshots: %w", fault.Unsupported)
	}
	digest := c.r.PathValue("digest")
	f, size, err := h.File(c.r.Context(), c.tenant, digest)
	if err != nil {
		return httpjson.Kept(err)
	}
	defer f.Close()
	if httpjson.Unchanged(c.w, c.r, digest) {
		return nil
	}
	head := c.w.Header()
	head.Set("Content-Type", "application/octet-stream")
	head.Set("Content-Length", strconv.FormatInt(size, 10))
	head.Set("X-Content-Type-Options", "nosniff")
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method != http.MethodHead {
		io.Copy(c.w, f) // who does not listen any more misses it, and what is cut off shows in the length
	}
	return nil
}

// queryView answers the questions of a view.
func (h *Handler) queryView(c *call) error {
	var q question
	if err := httpjson.Read(c.r, MaxBody, &q); err != nil {
		return err
	}
	if len(q.Vulnerabilities) > MaxNames {
		return &fault.LimitError{What: "vulnerabilities", Where: "query", Max: MaxNames, Seen: int64(len(q.Vulnerabilities))}
	}
	if h.View == nil {
		return fmt.Errorf("this service has no snapshots: %w", fault.Unsupported)
	}
	v, done, err := h.View(c.r.Context(), c.tenant, c.r.PathValue("digest"))
	if err != nil {
		return httpjson.Kept(err)
	}
	defer done()
	list, err := v.Statements(c.r.Context(), q.Vulnerabilities)
	if err != nil {
		return httpjson.Kept(err)
	}
	if len(list) > MaxFound {
		return &fault.LimitError{What: "statements", Where: "answer to a query: ask less at once", Max: MaxFound, Seen: int64(len(list))}
	}
	return c.answer(found{itemsOf(list)})
}

// trust answers with the trust in force.
func (h *Handler) trust(c *call) error {
	t, err := c.vex.Trust(c.r.Context(), "")
	if err != nil {
		return httpjson.Kept(err)
	}
	if httpjson.Unchanged(c.w, c.r, t.Digest()) {
		return nil
	}
	return c.answer(inForce(t))
}

// setTrust puts a trust in force.
func (h *Handler) setTrust(c *call) error {
	t := new(vex.Trust)
	if err := httpjson.Read(c.r, MaxTrust, t); err != nil {
		return err
	}
	if _, err := c.vex.SetTrust(c.r.Context(), t, c.who.Subject); err != nil {
		return err
	}
	h.changed(c.tenant)
	return c.answer(inForce(t))
}

func inForce(t *vex.Trust) InForce {
	if t.Issuers == nil {
		t.Issuers = []vex.Issuer{}
	}
	return InForce{t.Digest(), t}
}
