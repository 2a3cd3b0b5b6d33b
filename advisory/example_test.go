package advisory_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/stella-ops/stella/advisory"
	"github.com/stella-ops/stella/advisory/osv"
	"github.com/stella-ops/stella/advisory/snapshot"
	"github.com/stella-ops/stella/scan/purl"
	"github.com/stella-ops/stella/scan/sbom"
)

func ExampleMatcher() {
	record, err := osv.Parse([]byte(`{
		"id": "GHSA-p6mc-m468-83gw", "modified": "2024-05-20T16:03:47Z", "aliases": ["CVE-2020-8203"],
		"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:H/A:H"}],
		"affected": [{
			"package": {"ecosystem": "npm", "name": "lodash"},
			"ranges": [{"type": "SEMVER", "events": [{"introduced": "3.7.0"}, {"fixed": "4.17.19"}]}]
		}]
	}`), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	var file bytes.Buffer
	_, err = snapshot.Build(&file, func(yield func(*advisory.Record, error) bool) { yield(record, nil) })
	if err != nil {
		fmt.Println(err)
		return
	}
	view, err := snapshot.Read(file.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}

	doc := &sbom.Document{Packages: []sbom.Package{
		{ID: "1", Name: "lodash", Version: "4.17.11", PURL: purl.PackageURL{Type: "npm", Name: "lodash", Version: "4.17.11"}},
		{ID: "2", Name: "requests", Version: "2.31.0", PURL: purl.PackageURL{Type: "pypi", Name: "requests", Version: "2.31.0"}},
	}}
	report, err := advisory.Matcher{View: view}.Match(context.Background(), doc)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range report.Findings {
		fmt.Println(f.Name, f.Version, f.Vulnerability, f.Severity, "fixed in", f.Fixed, "because of", f.Evidence.Range)
	}
	for _, g := range report.Gaps {
		fmt.Println(g.Where+":", g.What)
	}
	// Output:
	// lodash 4.17.11 CVE-2020-8203 high fixed in [4.17.19] because of >= 3.7.0, < 4.17.19
	// PyPI: there is no advisory data about this ecosystem: 1 packages were not assessed
}
