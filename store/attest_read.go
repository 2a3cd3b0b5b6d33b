package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/attest"
	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/sum"
)

// maxPage bounds the bytes of envelopes on one page; one that alone is larger fits.
const maxPage = 32 << 20

// errFull ends a page.
var errFull = errors.New("the page is full")

// Find lists attestations, the newest first. A page ends early where its envelopes are
// large.
func (a *Attest) Find(ctx context.Context, q attest.Query) (*attest.Page, error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return nil, fmt.Errorf("list attestations: %w", err)
	}
	before, id, err := readCursor(q.After)
	if err != nil {
		return nil, fmt.Errorf("list attestations: after %.80q is not what an earlier page gave: %w", q.After, fault.Invalid)
	}
	page := new(attest.Page)
	err = a.tenant.root.readOnce(ctx, Scope{RoleTenant, a.tenant.name}, "list attestations", func(tx *tx) (err error) {
		page.Attestations, page.Next, err = tx.findAttestations(q, before, id, limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

func (t *tx) findAttestations(q attest.Query, before int64, id string, limit int) (list []attest.Attestation, next string, err error) {
	size := int64(0)
	args := []any{t.tenant, before, id, limit + 1}
	where := ""
	for _, c := range []struct{ value, condition string }{
		{q.PredicateType, `a.predicate_type = $`},
		{q.Subject, `a.id IN (SELECT s.attestation FROM attest.subjects s WHERE s.tenant_id = $1 AND s.digest = $`},
		{q.ScanID, `a.id IN (SELECT u.attestation FROM attest.uses u WHERE u.tenant_id = $1 AND u.scan_id = $`},
	} {
		if c.value != "" {
			args = append(args, c.value)
			where += ` AND ` + c.condition + strconv.Itoa(len(args)) + strings.Repeat(")", strings.Count(c.condition, "("))
		}
	}
	err = t.each(func(row func(...any) error) error {
		a, err := readAttestation(row)
		if err != nil {
			return err
		}
		if size += int64(len(a.Envelope)); len(list) == limit || len(list) > 0 && size > maxPage {
			return errFull
		}
		list = append(list, *a)
		return nil
	}, `SELECT `+attestationColumns+` FROM attest.attestations a WHERE a.tenant_id = $1 AND (a.at_us < $2 OR a.at_us = $2 AND a.id < $3)`+where+`
		ORDER BY a.at_us DESC, a.id DESC LIMIT $4`, args...)
	if errors.Is(err, errFull) {
		last := list[len(list)-1]
		next, err = strconv.FormatInt(last.Made.UnixMicro(), 10)+"."+last.ID, nil
	}
	if err != nil {
		return nil, "", err
	}
	return list, next, t.fillAttestations(list)
}

const attestationColumns = `a.id, a.envelope, a.size, a.chunks, a.payload, a.key_id, a.predicate_type, a.scan_id, a.at_us`

func readAttestation(row func(...any) error) (*attest.Attestation, error) {
	a := new(attest.Attestation)
	var at int64
	if err := row(&a.ID, &a.Envelope, &a.Ref.Size, &a.Ref.Chunks, &a.Payload, &a.KeyID, &a.PredicateType, &a.ScanID, &at); err != nil {
		return nil, err
	}
	if len(a.Envelope) == 0 {
		a.Envelope = nil
	}
	if len(a.Ref.Chunks) == 0 {
		a.Ref.Chunks = nil
	}
	a.Ref.Digest, a.Made = a.ID, micros(at)
	if a.Envelope != nil {
		if got := sum.Of(a.Envelope); got != a.ID {
			return nil, &fault.MismatchError{What: "digest of the envelope that is kept", Want: a.ID, Got: got}
		}
	}
	return a, nil
}

// attestation reads one.
func (t *tx) attestation(id string) (*attest.Attestation, error) {
	var list []attest.Attestation
	err := t.each(func(row func(...any) error) error {
		a, err := readAttestation(row)
		if err == nil {
			list = append(list, *a)
		}
		return err
	}, `SELECT `+attestationColumns+` FROM attest.attestations a WHERE a.tenant_id = $1 AND a.id = $2`, t.tenant, id)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("attestation %.80q: %w", id, fault.NotFound)
	}
	return &list[0], t.fillAttestations(list)
}

// fillAttestations reads what stands in other tables.
func (t *tx) fillAttestations(list []attest.Attestation) error {
	at := map[string]*attest.Attestation{}
	var ids []string
	for i := range list {
		at[list[i].ID] = &list[i]
		ids = append(ids, list[i].ID)
	}
	chosen, err := idList(ids)
	if err != nil || len(ids) == 0 {
		return err
	}
	err = t.each(func(row func(...any) error) error {
		var id, digest string
		err := row(&id, &digest)
		if a := at[id]; err == nil {
			a.Subjects = append(a.Subjects, digest)
		}
		return err
	}, `SELECT attestation, digest FROM attest.subjects WHERE tenant_id = $1 AND attestation`+oneOf+` ORDER BY attestation, digest`, t.tenant, chosen)
	if err != nil {
		return err
	}
	err = t.each(func(row func(...any) error) error {
		var id, kind string
		err := row(&id, &kind)
		if a := at[id]; err == nil {
			a.Wanted = append(a.Wanted, attest.ProofKind(kind))
		}
		return err
	}, `SELECT attestation, kind FROM attest.wanted WHERE tenant_id = $1 AND attestation`+oneOf+` ORDER BY attestation, kind`, t.tenant, chosen)
	if err != nil {
		return err
	}
	return t.each(func(row func(...any) error) error {
		var id, kind string
		var p attest.Proof
		var us int64
		err := row(&id, &kind, &p.Source, &p.Content, &us)
		if a := at[id]; err == nil {
			p.Kind, p.Made = attest.ProofKind(kind), micros(us)
			a.Proofs = append(a.Proofs, p)
		}
		return err
	}, `SELECT attestation, kind, source, content, at_us FROM attest.proofs WHERE tenant_id = $1 AND attestation`+oneOf+` ORDER BY attestation, number`, t.tenant, chosen)
}
