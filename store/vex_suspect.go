package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// identify notes the id and version that a document has for its publisher, and the
// bytes that were read.
func (d *reading) identify(o *vex.Origin) {
	if d.id == "" {
		d.id, d.version = cutTo(o.ID, MaxVEXName), cutTo(o.Version, 100)
	}
	if sum, err := rawDigest(o.Document); err == nil && len(d.payload) == 0 {
		d.payload = sum
	}
}

// claimOf returns a digest of what a statement is about, whatever it says: of the
// vulnerability and the products, the time, and the document's source, id and
// version. It is empty where the document has no id.
func claimOf(s *vex.Statement) ([]byte, error) {
	o := &s.Origin
	if o.ID == "" {
		return []byte{}, nil
	}
	products, err := json.Marshal(s.Products, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, fmt.Errorf("write products of statement %s: %v: %w", s.ID, err, fault.Invalid)
	}
	h := sha256.New()
	for _, text := range []string{o.Source, o.ID, o.Version, strings.ToUpper(s.Vulnerability), s.Time.UTC().Format(time.RFC3339Nano), string(products)} {
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	return h.Sum(nil), nil
}

// other is a document by its name and what was read of it.
type other struct{ name, payload string }

// suspect says why a document should not lower risk, and which others share the
// fault.
func (t *tx) suspect(d *reading) (others []other, why string, err error) {
	if others, err = t.contradicted(d); err != nil {
		return nil, "", err
	}
	if len(others) > 0 {
		return others, contradiction(d, others[0].name), nil
	}
	var id, version, signature, signer string
	err = t.get(`SELECT id, version, signature, signer FROM vex.readings WHERE tenant_id = $1 AND source = $2 AND name = $3 AND quarantined = '' AND document <> $4 ORDER BY seq DESC LIMIT 1`,
		[]any{t.tenant, d.run.Source, d.name, d.document}, &id, &version, &signature, &signer)
	if isNoRows(err) {
		return nil, "", nil
	}
	switch {
	case err != nil:
		return nil, "", err
	case d.id != "" && d.id == id && compareVersions(d.version, version) < 0:
		why = fmt.Sprintf("its version %.60q is lower than %.60q, which an earlier document of its name had", d.version, version)
	case signature == string(vex.Verified) && d.Signature != vex.Verified:
		why = fmt.Sprintf("an earlier document of its name was signed by %.200s, and this one is not known to be", signer)
	}
	return nil, why, nil
}

func contradiction(d *reading, name string) string {
	return fmt.Sprintf("as of the same time, under the same id %.200q and version %.60q, %.200s says the contrary", d.id, d.version, name)
}

// contradicted returns the documents, also those that are no longer current, that
// say the contrary about the same things, as of the same time, under the same id and
// version.
func (t *tx) contradicted(d *reading) (out []other, err error) {
	claims := [2][][]byte{} // of statements that raise risk, and that lower it
	for _, s := range d.said {
		if len(s.claim) > 0 {
			claims[bit(s.Safe())] = append(claims[bit(s.Safe())], s.claim)
		}
	}
	found := map[other]bool{}
	for safe, list := range claims {
		err := batches(list, []any{t.tenant, 1 - safe}, func(in string, args []any) error {
			return t.each(func(row func(...any) error) error {
				var name string
				var payload []byte
				err := row(&name, &payload)
				if !bytes.Equal(payload, d.payload) {
					found[other{name, string(payload)}] = true
				}
				return err
			}, `SELECT DISTINCT document, payload FROM vex.observations WHERE tenant_id = $1 AND safe = $2 AND claim IN `+in, args...)
		})
		if err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b other) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.payload, b.payload))
	}), nil
}

// distrust quarantines a document for what another one has shown of it. What is no
// longer current has been replaced, and stays as it was.
func (t *tx) distrust(d *reading, o other) error {
	var document, state, last int64
	err := t.get(`SELECT d.seq, d.state, r.seq FROM vex.documents d JOIN vex.readings r ON r.tenant_id = d.tenant_id AND r.document = d.seq
		WHERE d.tenant_id = $1 AND d.source = $2 AND d.name = $3 AND d.to_run = 0 AND r.payload = $4 ORDER BY r.seq DESC LIMIT 1`,
		[]any{t.tenant, d.run.Source, o.name, []byte(o.payload)}, &document, &state, &last)
	if isNoRows(err) || err == nil && (state == docQuarantined || document == d.document) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE vex.observations SET to_run = $4 WHERE tenant_id = $1 AND source = $2 AND document = $3 AND to_run = 0 AND safe = 1`, t.tenant, d.run.Source, o.name, d.run.Number)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO vex.readings (tenant_id, document, source, name, run, at_us, payload, id, version, signature, signer, why, quarantined, problem_count, problems)
		SELECT tenant_id, document, source, name, CAST($3 AS bigint), CAST($4 AS bigint), payload, id, version, signature, signer, why, CAST($5 AS text), problem_count, problems FROM vex.readings
		WHERE tenant_id = $1 AND seq = $2`, t.tenant, last, d.run.Number, t.now, contradiction(d, d.name))
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE vex.documents SET state = $3 WHERE tenant_id = $1 AND seq = $2`, t.tenant, document, docQuarantined)
	return err
}

// compareVersions compares versions of documents: numbers with dots between, and
// what follows a "-" before the same without. Of others nobody knows the order: they
// are equal.
func compareVersions(a, b string) int {
	numbersA, preA, _ := strings.Cut(strings.TrimPrefix(a, "v"), "-")
	numbersB, preB, _ := strings.Cut(strings.TrimPrefix(b, "v"), "-")
	x, okA := versionNumbers(numbersA)
	y, okB := versionNumbers(numbersB)
	if !okA || !okB {
		return 0
	}
	for i := range max(len(x), len(y)) {
		m, n := new(big.Int), new(big.Int)
		if i < len(x) {
			m = x[i]
		}
		if i < len(y) {
			n = y[i]
		}
		if c := m.Cmp(n); c != 0 {
			return c
		}
	}
	switch {
	case preA != "" && preB == "":
		return -1
	case preA == "" && preB != "":
		return 1
	}
	return 0
}

func versionNumbers(s string) (out []*big.Int, ok bool) {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || len(part) > 40 || strings.Trim(part, "0123456789") != "" {
			return nil, false
		}
		n, _ := new(big.Int).SetString(part, 10) // digits
		out = append(out, n)
	}
	return out, true
}
