package csaf_test

// full is a document of CSAF 2.0 with every member that the schema knows.
const full = `{
  "document": {
    "acknowledgments": [{"names": ["A. Person"], "organization": "Example", "summary": "found it", "urls": ["https://example.com/thanks"]}],
    "aggregate_severity": {"namespace": "https://example.com/severity", "text": "Moderate"},
    "category": "csaf_vex", "csaf_version": "2.0",
    "distribution": {"text": "public", "tlp": {"label": "WHITE", "url": "https://example.com/tlp"}},
    "lang": "en-US",
    "notes": [{"audience": "all", "category": "summary", "text": "text", "title": "title"}],
    "publisher": {"category": "vendor", "contact_details": "mail", "issuing_authority": "us", "name": "Example", "namespace": "https://example.com"},
    "references": [{"category": "self", "summary": "this", "url": "https://example.com/2024/ex-2024_1.json"}, {"summary": "other", "url": "https://example.com/other"}],
    "source_lang": "de",
    "title": "All members",
    "tracking": {
      "aliases": ["EX-1"], "current_release_date": "2024-02-01T00:00:00Z",
      "generator": {"date": "2024-02-01T00:00:00Z", "engine": {"name": "hand", "version": "1"}},
      "id": "EX-2024:1", "initial_release_date": "2024-01-01T00:00:00Z",
      "revision_history": [
        {"date": "2024-01-01T00:00:00Z", "legacy_version": "0", "number": "1", "summary": "first"},
        {"date": "2024-02-01T00:00:00+01:00", "number": "2", "summary": "second"}],
      "status": "final", "version": "2"
    }
  },
  "product_tree": {
    "branches": [{"category": "vendor", "name": "Example", "branches": [
      {"category": "product_name", "name": "Tool", "branches": [
        {"category": "product_version", "name": "1.0", "product": {"name": "Tool 1.0", "product_id": "T1", "product_identification_helper": {
          "cpe": "cpe:2.3:a:example:tool:1.0:*:*:*:*:*:*:*",
          "hashes": [{"file_hashes": [{"algorithm": "sha256", "value": "026a37919b182ef7c63791e82c9645e2f897a3f0b73c7a6028c7febf62e93838"}], "filename": "tool"}],
          "model_numbers": ["M1"], "purl": "pkg:generic/example/tool@1.0", "sbom_urls": ["https://example.com/sbom"], "serial_numbers": ["S1"], "skus": ["K1"],
          "x_generic_uris": [{"namespace": "https://example.com/ns", "uri": "urn:example:tool"}]}}},
        {"category": "product_version_range", "name": "vers:generic/<1.0", "product": {"name": "Tool before 1.0", "product_id": "T0"}}]}]}],
    "full_product_names": [{"name": "System", "product_id": "S"}],
    "product_groups": [{"group_id": "G", "product_ids": ["T0", "T1"], "summary": "tools"}],
    "relationships": [{"category": "installed_on", "full_product_name": {"name": "Tool on System", "product_id": "TS"}, "product_reference": "T1", "relates_to_product_reference": "S"}]
  },
  "vulnerabilities": [{
    "acknowledgments": [{"names": ["A. Person"]}],
    "cve": "CVE-2024-0001", "cwe": {"id": "CWE-79", "name": "Improper Neutralization of Input During Web Page Generation ('Cross-site Scripting')"},
    "discovery_date": "2023-12-01T00:00:00Z",
    "flags": [{"date": "2024-01-01T00:00:00Z", "group_ids": ["G"], "label": "component_not_present", "product_ids": ["TS"]}],
    "ids": [{"system_name": "Example", "text": "X-1"}],
    "involvements": [{"date": "2024-01-01T00:00:00Z", "party": "vendor", "status": "completed", "summary": "done"}],
    "notes": [{"category": "description", "text": "text"}],
    "product_status": {"first_affected": ["T0"], "first_fixed": ["S"], "fixed": ["S"], "known_affected": ["T0"], "known_not_affected": ["TS"],
      "last_affected": ["T0"], "recommended": ["S"], "under_investigation": ["T1"]},
    "references": [{"category": "external", "summary": "more", "url": "https://example.com/more"}],
    "release_date": "2024-01-01T00:00:00Z",
    "remediations": [{"category": "vendor_fix", "date": "2024-01-01T00:00:00Z", "details": "update", "entitlements": ["contract"], "group_ids": ["G"], "product_ids": ["T0"],
      "restart_required": {"category": "system", "details": "all of it"}, "url": "https://example.com/fix"}],
    "scores": [{
      "cvss_v2": {"version": "2.0", "vectorString": "AV:N/AC:L/Au:N/C:P/I:P/A:P/E:F/RL:OF/RC:C", "baseScore": 7.5, "temporalScore": 6.2, "accessVector": "NETWORK", "accessComplexity": "LOW",
        "authentication": "NONE", "confidentialityImpact": "PARTIAL", "integrityImpact": "PARTIAL", "availabilityImpact": "PARTIAL", "exploitability": "FUNCTIONAL",
        "remediationLevel": "OFFICIAL_FIX", "reportConfidence": "CONFIRMED", "collateralDamagePotential": "NOT_DEFINED", "targetDistribution": "NOT_DEFINED",
        "confidentialityRequirement": "NOT_DEFINED", "integrityRequirement": "NOT_DEFINED", "availabilityRequirement": "NOT_DEFINED", "environmentalScore": 6.2},
      "cvss_v3": {"version": "3.1", "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P", "baseScore": 9.8, "baseSeverity": "CRITICAL", "temporalScore": 9.3,
        "temporalSeverity": "CRITICAL", "environmentalScore": 9.3, "environmentalSeverity": "CRITICAL", "attackVector": "NETWORK", "attackComplexity": "LOW",
        "privilegesRequired": "NONE", "userInteraction": "NONE", "scope": "UNCHANGED", "confidentialityImpact": "HIGH", "integrityImpact": "HIGH", "availabilityImpact": "HIGH",
        "exploitCodeMaturity": "PROOF_OF_CONCEPT", "remediationLevel": "NOT_DEFINED", "reportConfidence": "NOT_DEFINED", "confidentialityRequirement": "NOT_DEFINED",
        "integrityRequirement": "NOT_DEFINED", "availabilityRequirement": "NOT_DEFINED", "modifiedAttackVector": "NOT_DEFINED", "modifiedAttackComplexity": "NOT_DEFINED",
        "modifiedPrivilegesRequired": "NOT_DEFINED", "modifiedUserInteraction": "NOT_DEFINED", "modifiedScope": "NOT_DEFINED", "modifiedConfidentialityImpact": "NOT_DEFINED",
        "modifiedIntegrityImpact": "NOT_DEFINED", "modifiedAvailabilityImpact": "NOT_DEFINED"},
      "products": ["T0"]},
      {"cvss_v3": {"version": "3.0", "vectorString": "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "baseScore": 9.8, "baseSeverity": "CRITICAL"}, "products": ["T1"]}],
    "threats": [{"category": "impact", "date": "2024-01-01T00:00:00Z", "details": "none", "group_ids": ["G"], "product_ids": ["TS"]}],
    "title": "A flaw"
  }]
}`
