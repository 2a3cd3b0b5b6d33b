package store

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/store/crashpoint"
)

// The index of packages says which documents have a package that an advisory is
// about: keys lead to distinct packages (facts), those to documents by short
// numbers (postings), and those to scans. A package that a thousand documents have
// is one fact.

// shareIndex keeps a collection of the tenant's index out until the transaction
// ends. It is the second lock of a completion: see docs/architecture.md.
func (t *tx) shareIndex() error {
	if _, err := t.exec(`INSERT INTO scanner.package_locks (tenant_id) VALUES ($1) ON CONFLICT (tenant_id) DO NOTHING`, t.tenant); err != nil {
		return err
	}
	var guard int64
	return t.get(`SELECT guard FROM scanner.package_locks WHERE tenant_id = $1 FOR SHARE`, []any{t.tenant}, &guard)
}

// packageRow is one element of the JSON parameter that packages are stored from.
type packageRow struct {
	ID      string `json:"id"`
	PURL    string `json:"purl"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"` // of the fact; "" for none
}

// factRow is a distinct package.
type factRow struct {
	Digest string        `json:"digest"`
	Fact   string        `json:"fact"`
	Keys   []finding.Key `json:"-"`
}

type keyRow struct {
	Ecosystem string `json:"e"`
	Name      string `json:"n"`
	Digest    string `json:"d"`
}

// keepPackages stores the index of an SBOM, once for all scans that have it.
func (t *tx) keepPackages(r *scan.Results) error {
	defer crashpoint.Hit(crashpoint.CompletePackages)
	if len(r.Packages) == 0 {
		return nil
	}
	if err := t.shareIndex(); err != nil {
		return err
	}
	packages, facts := indexRows(r.Packages)
	if err := t.keepPackageFacts(facts); err != nil {
		return err
	}
	list, err := json.Marshal(packages, json.Deterministic(true))
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO scanner.packages (tenant_id, sbom_digest, package_id, package_purl, name, version, fact_no)
		SELECT $1, $2, p.value->>'id', p.value->>'purl', p.value->>'name', p.value->>'version', coalesce(f.fact_no, 0) FROM json_rows($3) AS p
		LEFT JOIN scanner.package_facts f ON f.tenant_id = $1 AND f.digest = p.value->>'digest' WHERE true
		ON CONFLICT (tenant_id, sbom_digest, package_id) DO NOTHING`, t.tenant, r.SBOMDigest, string(list))
	if err != nil || len(facts) == 0 {
		return err
	}
	return t.keepPostings(r.SBOMDigest)
}

// indexRows tells distinct packages apart. Facts are in the order of their
// digests, so that two completions never wait for each other crosswise.
func indexRows(list []scan.PackageFact) (packages []packageRow, facts []factRow) {
	seen := map[string]bool{}
	for _, p := range list {
		row := packageRow{ID: clean(p.ID), PURL: clean(p.PURL), Name: clean(p.Name), Version: clean(p.Version)}
		if p.Fact != "" && len(p.Keys) > 0 {
			sum := sha256.Sum256([]byte(p.Fact))
			row.Digest = hex.EncodeToString(sum[:16])
			if !seen[row.Digest] {
				seen[row.Digest] = true
				facts = append(facts, factRow{row.Digest, clean(p.Fact), p.Keys})
			}
		}
		packages = append(packages, row)
	}
	slices.SortFunc(facts, func(a, b factRow) int { return strings.Compare(a.Digest, b.Digest) })
	return packages, facts
}

func (t *tx) keepPackageFacts(facts []factRow) error {
	if len(facts) == 0 {
		return nil
	}
	var keys []keyRow
	for _, f := range facts {
		for _, k := range f.Keys {
			keys = append(keys, keyRow{clean(k.Ecosystem), clean(k.Name), f.Digest})
		}
	}
	list, err := json.Marshal(facts, json.Deterministic(true))
	if err != nil {
		return err
	}
	if _, err := t.exec(`INSERT INTO scanner.package_facts (tenant_id, digest, fact)
		SELECT $1, value->>'digest', value->>'fact' FROM json_rows($2) AS fact WHERE true ORDER BY value->>'digest'
		ON CONFLICT (tenant_id, digest) DO NOTHING`, t.tenant, string(list)); err != nil {
		return err
	}
	if list, err = json.Marshal(keys, json.Deterministic(true)); err != nil {
		return err
	}
	// Also those of facts that were there: another program may have asked otherwise.
	_, err = t.exec(`INSERT INTO scanner.package_keys (tenant_id, ecosystem, name, fact_no)
		SELECT $1, k.value->>'e', k.value->>'n', f.fact_no FROM json_rows($2) AS k JOIN scanner.package_facts f ON f.tenant_id = $1 AND f.digest = k.value->>'d' WHERE true
		ORDER BY f.fact_no, k.value->>'e', k.value->>'n'
		ON CONFLICT (ecosystem, name, tenant_id, fact_no) DO NOTHING`, t.tenant, string(list))
	return err
}

func (t *tx) keepPostings(sbomDigest string) error {
	n, err := t.exec(`INSERT INTO scanner.sboms (tenant_id, digest, indexed_us) VALUES ($1, $2, $3) ON CONFLICT (tenant_id, digest) DO NOTHING`, t.tenant, sbomDigest, t.now)
	if err != nil || n == 0 { // they are there, and may be packed
		return err
	}
	_, err = t.exec(`INSERT INTO scanner.package_postings (tenant_id, fact_no, sbom_no)
		SELECT DISTINCT p.tenant_id, p.fact_no, s.sbom_no FROM scanner.packages p JOIN scanner.sboms s ON s.tenant_id = p.tenant_id AND s.digest = p.sbom_digest
		WHERE p.tenant_id = $1 AND p.sbom_digest = $2 AND p.fact_no > 0
		ON CONFLICT (tenant_id, fact_no, sbom_no) DO NOTHING`, t.tenant, sbomDigest)
	return err
}

// collectIndex deletes the index of those of the documents that no scan has any
// more, and what only they had. Nobody completes a scan of the tenant meanwhile.
func (t *tx) collectIndex(digests []idRow) (packages int64, err error) {
	list, err := json.Marshal(digests)
	if err != nil {
		return 0, err
	}
	var gone []idRow
	err = t.each(func(row func(...any) error) error {
		var d idRow
		err := row(&d.ID)
		gone = append(gone, d)
		return err
	}, `SELECT DISTINCT d.value->>'id' FROM json_rows($2) AS d WHERE NOT EXISTS (
		SELECT 1 FROM scanner.scan_jobs j WHERE j.tenant_id = $1 AND j.sbom_digest <> '' AND j.sbom_digest = d.value->>'id')`, t.tenant, string(list))
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	if list, err = json.Marshal(gone); err != nil {
		return 0, err
	}
	const those = `(SELECT value->>'id' FROM json_rows($2) AS gone)`
	if _, err := t.exec(`DELETE FROM scanner.package_postings WHERE tenant_id = $1 AND (fact_no, sbom_no) IN (
		SELECT p.fact_no, s.sbom_no FROM scanner.sboms s JOIN scanner.packages p ON p.tenant_id = s.tenant_id AND p.sbom_digest = s.digest
		WHERE s.tenant_id = $1 AND p.fact_no > 0 AND s.digest IN `+those+`)`, t.tenant, string(list)); err != nil {
		return 0, err
	}
	if err := t.unpack(string(list), those); err != nil {
		return 0, err
	}
	for _, table := range []string{"package_keys", "package_facts"} {
		if _, err := t.exec(`DELETE FROM scanner.`+table+` WHERE tenant_id = $1 AND fact_no IN (
			SELECT p.fact_no FROM scanner.packages p WHERE p.tenant_id = $1 AND p.fact_no > 0 AND p.sbom_digest IN `+those+`
			AND NOT EXISTS (SELECT 1 FROM scanner.package_postings x WHERE x.tenant_id = $1 AND x.fact_no = p.fact_no)
			AND NOT EXISTS (SELECT 1 FROM scanner.package_runs x WHERE x.tenant_id = $1 AND x.fact_no = p.fact_no))`, t.tenant, string(list)); err != nil {
			return 0, err
		}
	}
	if _, err := t.exec(`DELETE FROM scanner.sboms WHERE tenant_id = $1 AND digest IN `+those, t.tenant, string(list)); err != nil {
		return 0, err
	}
	return t.exec(`DELETE FROM scanner.packages WHERE tenant_id = $1 AND sbom_digest IN `+those, t.tenant, string(list))
}
