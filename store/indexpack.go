package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Postings of a package that many documents have are packed: each run of them is
// one row, which is read much faster than its postings. A completion only ever adds
// postings; a collection packs them, and takes out of runs what is gone.

// pack packs a tenant's postings, as far as a package has enough for a run.
func (t *Tenant) pack(ctx context.Context, size int) error {
	scope := Scope{RoleTenant, t.name}
	facts, err := readAll(ctx, t.root, scope, "look for postings to pack", func(row func(...any) error) (fact int64, err error) {
		return fact, row(&fact)
	}, `SELECT fact_no FROM scanner.package_postings WHERE tenant_id = $1 GROUP BY fact_no HAVING count(*) >= $2 ORDER BY fact_no`, t.name, size)
	for _, fact := range facts {
		for more := true; more && err == nil; {
			err = t.write(ctx, "pack postings", func(tx *tx) error {
				if err := tx.lockIndex(); err != nil {
					return err
				}
				more, err = tx.packRun(fact, size)
				return err
			})
		}
	}
	return err
}

// packRun makes a run of the first postings of a package; false says that there
// are not enough.
func (t *tx) packRun(fact int64, size int) (bool, error) {
	const chosen = `(SELECT sbom_no FROM scanner.package_postings WHERE tenant_id = $1 AND fact_no = $2 ORDER BY sbom_no LIMIT $3) AS chosen`
	var count, first, last int64
	var numbers string
	err := t.get(`SELECT count(*), coalesce(min(sbom_no), 0), coalesce(max(sbom_no), 0), coalesce(string_agg(CAST(sbom_no AS TEXT), ','), '') FROM `+chosen,
		[]any{t.tenant, fact, size}, &count, &first, &last, &numbers)
	if err != nil || count < int64(size) {
		return false, err
	}
	if _, err := t.exec(`INSERT INTO scanner.package_runs (tenant_id, fact_no, first_no, last_no, numbers) VALUES ($1, $2, $3, $4, $5)`, t.tenant, fact, first, last, numbers); err != nil {
		return false, err
	}
	n, err := t.exec(`DELETE FROM scanner.package_postings WHERE tenant_id = $1 AND fact_no = $2 AND sbom_no BETWEEN $3 AND $4`, t.tenant, fact, first, last)
	if err == nil && n != count {
		err = fmt.Errorf("%d postings were packed, %d deleted", count, n)
	}
	return true, err
}

// postingRun is a run that has documents that are gone.
type postingRun struct {
	fact, first int64
	numbers     string
}

// unpack takes documents out of the runs of their packages. Postings of them are
// gone already; those names them in SQL.
func (t *tx) unpack(list, those string) error {
	gone := map[string]bool{}
	err := t.each(func(row func(...any) error) error {
		var number int64
		err := row(&number)
		gone[strconv.FormatInt(number, 10)] = true
		return err
	}, `SELECT sbom_no FROM scanner.sboms WHERE tenant_id = $1 AND digest IN `+those, t.tenant, list)
	if err != nil || len(gone) == 0 {
		return err
	}
	var runs []postingRun
	err = t.each(func(row func(...any) error) error {
		var r postingRun
		err := row(&r.fact, &r.first, &r.numbers)
		runs = append(runs, r)
		return err
	}, `SELECT r.fact_no, r.first_no, r.numbers FROM scanner.package_runs r JOIN (
		SELECT DISTINCT p.fact_no, s.sbom_no FROM scanner.packages p JOIN scanner.sboms s ON s.tenant_id = p.tenant_id AND s.digest = p.sbom_digest
		WHERE p.tenant_id = $1 AND p.fact_no > 0 AND p.sbom_digest IN `+those+`) AS g ON r.fact_no = g.fact_no AND g.sbom_no BETWEEN r.first_no AND r.last_no
		WHERE r.tenant_id = $1 GROUP BY r.fact_no, r.first_no, r.numbers`, t.tenant, list)
	if err != nil {
		return err
	}
	for _, r := range runs {
		kept := slices.DeleteFunc(strings.Split(r.numbers, ","), func(n string) bool { return gone[n] })
		statement, args := `DELETE FROM scanner.package_runs WHERE tenant_id = $1 AND fact_no = $2 AND first_no = $3`, []any{t.tenant, r.fact, r.first}
		if len(kept) > 0 {
			statement, args = `UPDATE scanner.package_runs SET numbers = $4 WHERE tenant_id = $1 AND fact_no = $2 AND first_no = $3`, append(args, strings.Join(kept, ","))
		}
		if _, err := t.exec(statement, args...); err != nil {
			return err
		}
	}
	return nil
}
