package csaf

import "github.com/stella-ops/stella/internal/csaf/shape"

// The rules of the JSON schemas, written out by hand.
//
// Source: CSAF 2.0, csaf_json_schema.json; FIRST, cvss-v2.0.json, cvss-v3.0.json
// and cvss-v3.1.json, to which it refers.
var (
	schema20 = documentRule()
	schema21 = documentRule21()
)

type members = map[string]*shape.Rule

// Rules that are used in many places.
var (
	text      = shape.Text()
	uri       = shape.Formatted(0, uriFormat)
	date      = shape.Formatted(0, timeFormat)
	version   = shape.Formatted(0, versionOK)
	language  = shape.Formatted(0, langOK)
	productID = text
	groupID   = text
	products  = shape.Set(1, productID)
	groups    = shape.Set(1, groupID)

	// only21 is a member that only CSAF 2.1 has.
	only21 = &shape.Rule{Foreign: true}
)

func documentRule() *shape.Rule {
	document := shape.Struct(members{
		"acknowledgments":    acknowledgments(),
		"aggregate_severity": shape.Struct(members{"namespace": uri, "text": text}, "text"),
		"category":           shape.Formatted(1, wordsOK),
		"csaf_version":       shape.OneOf(Version20),
		"distribution": atLeast(1, shape.Struct(members{
			"sharing_group": only21,
			"text":          text,
			"tlp":           shape.Struct(members{"label": shape.OneOf("AMBER", "GREEN", "RED", "WHITE"), "url": uri}, "label"),
		})),
		"lang":               language,
		"license_expression": only21,
		"notes":              notes(),
		"publisher":          PublisherRule(),
		"references":         references(),
		"source_lang":        language,
		"title":              text,
		"tracking":           tracking(),
	}, "category", "csaf_version", "publisher", "title", "tracking")
	return shape.Struct(members{
		"document":        document,
		"product_tree":    productTree(),
		"vulnerabilities": shape.List(vulnerability()),
	}, "document")
}

// atLeast sets the least number of members.
func atLeast(n int, r *shape.Rule) *shape.Rule {
	r.Min = n
	return r
}

// PublisherRule is the rule for a publisher, which the metadata of providers
// have too. CSAF 2.1 knows further categories.
func PublisherRule(further ...string) *shape.Rule {
	return shape.Struct(members{
		"category":          shape.OneOf(append([]string{"coordinator", "discoverer", "other", "translator", "user", "vendor"}, further...)...),
		"contact_details":   text,
		"issuing_authority": text,
		"name":              text,
		"namespace":         uri,
	}, "category", "name", "namespace")
}

func acknowledgments() *shape.Rule {
	return shape.List(atLeast(1, shape.Struct(members{
		"names":        shape.List(text),
		"organization": text,
		"summary":      text,
		"urls":         shape.List(uri),
	})))
}

func notes() *shape.Rule {
	return shape.List(shape.Struct(members{
		"audience":    text,
		"category":    shape.OneOf("description", "details", "faq", "general", "legal_disclaimer", "other", "summary"),
		"group_ids":   only21,
		"product_ids": only21,
		"text":        text,
		"title":       text,
	}, "category", "text"))
}

func references() *shape.Rule {
	return shape.List(shape.Struct(members{
		"category": shape.OneOf("external", "self"),
		"summary":  text,
		"url":      uri,
	}, "summary", "url"))
}

func tracking() *shape.Rule {
	engine := shape.Struct(members{"name": text, "version": text}, "name")
	return shape.Struct(members{
		"aliases":              shape.Set(1, text),
		"current_release_date": date,
		"generator":            shape.Struct(members{"date": date, "engine": engine}, "engine"),
		"id":                   shape.Formatted(1, trimmedOK),
		"initial_release_date": date,
		"revision_history": shape.List(shape.Struct(members{
			"date":           date,
			"legacy_version": text,
			"number":         version,
			"summary":        text,
		}, "date", "number", "summary")),
		"status":  shape.OneOf("draft", "final", "interim"),
		"version": version,
	}, "current_release_date", "id", "initial_release_date", "revision_history", "status", "version")
}

func vulnerability() *shape.Rule {
	return atLeast(1, shape.Struct(members{
		"acknowledgments":                acknowledgments(),
		"cve":                            shape.Formatted(0, cveOK),
		"cwe":                            shape.Struct(members{"id": shape.Formatted(0, cweOK), "name": text, "version": only21}, "id", "name"),
		"cwes":                           only21,
		"disclosure_date":                only21,
		"first_known_exploitation_dates": only21,
		"discovery_date":                 date,
		"flags": shape.Set(1, shape.Struct(members{
			"date":        date,
			"group_ids":   groups,
			"label":       shape.OneOf(justifications...),
			"product_ids": products,
		}, "label")),
		"ids": shape.Set(1, shape.Struct(members{"group_ids": only21, "product_ids": only21, "system_name": text, "text": text}, "system_name", "text")),
		"involvements": shape.Set(1, shape.Struct(members{
			"contact":     only21,
			"date":        date,
			"group_ids":   only21,
			"product_ids": only21,
			"party":       shape.OneOf("coordinator", "discoverer", "other", "user", "vendor"),
			"status":      shape.OneOf("completed", "contact_attempted", "disputed", "in_progress", "not_contacted", "open"),
			"summary":     text,
		}, "party", "status")),
		"metrics":        only21,
		"notes":          notes(),
		"product_status": productStatus(),
		"references":     references(),
		"release_date":   date,
		"remediations":   remediations(),
		"scores": shape.List(atLeast(2, shape.Struct(members{
			"cvss_v2":  cvss2(),
			"cvss_v3":  cvss3(),
			"products": products,
		}, "products"))),
		"threats": shape.List(shape.Struct(members{
			"category":    shape.OneOf("exploit_status", "impact", "target_set"),
			"date":        date,
			"details":     text,
			"group_ids":   groups,
			"product_ids": products,
		}, "category", "details")),
		"title": text,
	}))
}

func productStatus() *shape.Rule {
	return atLeast(1, shape.Struct(members{
		"first_affected":      products,
		"first_fixed":         products,
		"fixed":               products,
		"known_affected":      products,
		"known_not_affected":  products,
		"last_affected":       products,
		"recommended":         products,
		"under_investigation": products,
		"unknown":             only21,
	}))
}

func remediations() *shape.Rule {
	return shape.List(shape.Struct(members{
		"category":     shape.OneOf("mitigation", "no_fix_planned", "none_available", "vendor_fix", "workaround"),
		"date":         date,
		"details":      text,
		"entitlements": shape.List(text),
		"group_ids":    groups,
		"product_ids":  products,
		"restart_required": shape.Struct(members{
			"category": shape.OneOf("connected", "dependencies", "machine", "none", "parent", "service", "system", "vulnerable_component", "zone"),
			"details":  text,
		}, "category"),
		"url": uri,
	}, "category", "details"))
}

// justifications are the labels of flags that say why a product is not
// affected: in CSAF 2.0, all of them (section 3.2.3.5).
var justifications = []string{
	"component_not_present", "inline_mitigations_already_exist", "vulnerable_code_cannot_be_controlled_by_adversary",
	"vulnerable_code_not_in_execute_path", "vulnerable_code_not_present",
}
