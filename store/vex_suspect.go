package store

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/stella-ops/stella/vex"
)

// identify notes the id and version that a document has for its publisher.
func (d *reading) identify(source string, o *vex.Origin) {
	d.id, d.version = cutTo(o.ID, MaxVEXName), cutTo(o.Version, 100)
	if sum, err := rawDigest(o.Document); err == nil {
		d.payload = sum
	}
	h := sha256.New()
	for _, s := range []string{source, o.ID, o.Version} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	d.identity = h.Sum(nil)
}

// other is a document that has the same id and version as another one.
type other struct {
	document int64
	name     string
	current  bool
}

// suspect says why a document should not lower risk, and which others share the
// fault.
func (t *tx) suspect(d *reading) (others []other, why string, err error) {
	if others, err = t.equivocations(d); err != nil {
		return nil, "", err
	}
	if len(others) > 0 {
		return others, fmt.Sprintf("its id %.200q and version %.60q are also those of another document of other bytes, %.200s", d.id, d.version, others[0].name), nil
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

// equivocations returns every document of the source, also those that are no longer
// current, that has the same id and version and other bytes.
func (t *tx) equivocations(d *reading) (out []other, err error) {
	if len(d.identity) == 0 {
		return nil, nil
	}
	err = t.each(func(row func(...any) error) error {
		var o other
		var payload []byte
		var to int64
		if err := row(&o.document, &o.name, &payload, &to); err != nil {
			return err
		}
		o.current = to == 0
		if !bytes.Equal(payload, d.payload) && o.document != d.document && !slices.ContainsFunc(out, func(x other) bool { return x.document == o.document }) {
			out = append(out, o)
		}
		return nil
	}, `SELECT r.document, r.name, r.payload, d.to_run FROM vex.readings r JOIN vex.documents d ON d.tenant_id = r.tenant_id AND d.seq = r.document
		WHERE r.tenant_id = $1 AND r.identity = $2 ORDER BY r.seq`, t.tenant, d.identity)
	return out, err
}

// distrust quarantines a document for what another one has shown of it. What is no
// longer current has been replaced, and stays as it was.
func (t *tx) distrust(d *reading, o other) error {
	if !o.current {
		return nil
	}
	var state int
	if err := t.get(`SELECT state FROM vex.documents WHERE tenant_id = $1 AND seq = $2`, []any{t.tenant, o.document}, &state); err != nil || state == docQuarantined {
		return err
	}
	_, err := t.exec(`UPDATE vex.observations SET to_run = $4 WHERE tenant_id = $1 AND source = $2 AND document = $3 AND to_run = 0 AND safe = 1`, t.tenant, d.run.Source, o.name, d.run.Number)
	if err != nil {
		return err
	}
	why := fmt.Sprintf("its id %.200q and version %.60q are also those of another document of other bytes, %.200s", d.id, d.version, d.name)
	_, err = t.exec(`INSERT INTO vex.readings (tenant_id, document, source, name, run, at_us, payload, identity, id, version, signature, signer, why, quarantined, problem_count, problems)
		SELECT tenant_id, document, source, name, CAST($3 AS bigint), CAST($4 AS bigint), payload, identity, id, version, signature, signer, why, CAST($5 AS text), problem_count, problems FROM vex.readings
		WHERE tenant_id = $1 AND seq = (SELECT max(seq) FROM vex.readings WHERE tenant_id = $1 AND document = $2)`, t.tenant, o.document, d.run.Number, t.now, why)
	if err != nil {
		return err
	}
	_, err = t.exec(`UPDATE vex.documents SET state = $3 WHERE tenant_id = $1 AND seq = $2`, t.tenant, o.document, docQuarantined)
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
