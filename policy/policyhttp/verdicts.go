package policyhttp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/policy"
)

// standing says what holds about a scan.
func (h *Handler) standing(c *call) error {
	list, err := c.store.Current(c.r.Context(), c.r.PathValue("scan_id"))
	if err != nil {
		return err
	}
	out := standingsOf(c.r.PathValue("scan_id"), list, c.query["environment"])
	return c.answer(http.StatusOK, out)
}

// standingsOf puts together what holds, in one environment where one is asked for.
func standingsOf(scanID string, list []policy.Standing, only []string) *Standings {
	out := &Standings{ScanID: scanID, Outcome: policy.NotAssessed, Verdicts: []policy.Standing{}}
	for _, s := range list {
		if len(only) > 0 && s.Environment != only[0] {
			continue
		}
		if len(out.Verdicts) == 0 {
			out.Outcome = s.Outcome
		}
		out.Verdicts = append(out.Verdicts, s)
		out.Outcome = policy.Worst(out.Outcome, s.Outcome)
		out.Stale = out.Stale || s.Stale
	}
	out.Allows = out.Outcome.Allows()
	return out
}

func (h *Handler) decisions(c *call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	list, next, err := c.store.Decisions(c.r.Context(), c.r.PathValue("scan_id"), c.query.Get("after"), limit)
	if err != nil {
		return httpjson.QueryFault(err)
	}
	return c.answer(http.StatusOK, decisionPage{append([]policy.Decision{}, list...), next})
}

// verdict gives a verdict as it is signed.
func (h *Handler) verdict(c *call) error {
	r, err := h.find(c)
	if err != nil {
		return err
	}
	c.tagged("application/json", r.Body, true)
	return nil
}

func (h *Handler) trace(c *call) error {
	r, err := h.find(c)
	if err != nil {
		return err
	}
	c.tagged("application/json", r.Trace, true)
	return nil
}

func (h *Handler) find(c *call) (*policy.Record, error) {
	r, err := c.store.Find(c.r.Context(), c.r.PathValue("key"))
	if err != nil && fault.KindOf(err) != fault.NotFound && fault.KindOf(err) != fault.Unavailable {
		err = fmt.Errorf("read a verdict: %v", err) // what is kept is damaged, and not what was sent
	}
	return r, err
}

func (h *Handler) exceptions(c *call) error {
	limit, err := c.limit()
	if err != nil {
		return err
	}
	list, err := c.store.Exceptions(c.r.Context(), c.query.Get("after"), limit)
	if err != nil {
		return httpjson.QueryFault(err)
	}
	page := exceptionPage{Exceptions: append([]policy.Exception{}, list...)}
	if len(list) == limit {
		page.Next = list[limit-1].ID
	}
	return c.answer(http.StatusOK, page)
}

// except keeps an exception. Who asks is its approver: nobody names another.
func (h *Handler) except(c *call) error {
	key, err := httpjson.IdempotencyKey(c.r, KeyHeader, maxKey)
	if err != nil {
		return err
	}
	var d Draft
	if err := httpjson.Read(c.r, MaxBody, &d); err != nil {
		return err
	}
	e := policy.Exception{
		ID: d.ID, Scope: d.Scope, Effect: d.Effect, Severity: d.Severity, Control: d.Control, Owner: d.Owner, Approver: c.who.Subject,
		Reason: d.Reason, Justification: d.Justification, Expires: d.Expires, Basis: d.Basis,
	}
	if e.Owner == "" {
		e.Owner = c.who.Subject
	}
	switch {
	case e.ID == "" && key != "": // the same key is the same exception
		sum := sha256.Sum256([]byte(key))
		e.ID = "exc-" + hex.EncodeToString(sum[:16])
	case e.ID == "":
		e.ID = "exc-" + strings.ToLower(rand.Text())
	case !isName(e.ID, maxName):
		return fmt.Errorf("exception: id %.80q: want up to %d printable ASCII characters without a slash: %w", e.ID, maxName, fault.Invalid)
	}
	k, repeated, err := c.store.Except(c.r.Context(), e, c.who.Subject)
	if err != nil {
		return err
	}
	header := c.w.Header()
	header.Set("Location", root+"/exceptions/"+k.Exception.ID)
	if repeated {
		header.Set(ReplayedHeader, "true")
	}
	return c.answer(http.StatusCreated, k)
}

func (h *Handler) exception(c *call) error {
	k, err := c.store.Exception(c.r.Context(), c.r.PathValue("exception_id"))
	if err != nil {
		return err
	}
	return c.tag(k)
}

func (h *Handler) revoke(c *call) error {
	var body revocation
	if err := httpjson.Read(c.r, MaxBody, &body); err != nil {
		return err
	}
	k, err := c.store.Revoke(c.r.Context(), c.r.PathValue("exception_id"), c.who.Subject, body.Reason)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, k)
}
