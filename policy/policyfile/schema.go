package policyfile

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/policy"
	"github.com/stella-ops/stella/vex"
)

// SchemaID names the JSON Schema of policies.
const SchemaID = "https://stella-ops.dev/schema/policy/v1"

// Schema returns a JSON Schema (2020-12) of policy documents, for editors. It takes
// everything that [Parse] takes; Parse checks more.
func Schema() ([]byte, error) {
	type m = map[string]any
	text := func(limit int) m { return m{"type": "string", "minLength": 1, "maxLength": limit} }
	oneOf := func(list []string) m { return m{"enum": list} }
	object := func(required []string, properties m) m {
		out := m{"type": "object", "additionalProperties": false, "properties": properties}
		if required != nil {
			out["required"] = required
		}
		return out
	}
	listOf := func(x m) m { return m{"anyOf": []any{x, m{"type": "array", "items": x, "minItems": 1}}} }
	flag := m{"type": "boolean"}
	severity := m{"type": "string", "pattern": `^\s*([nN][oO][nN][eE]|[lL][oO][wW]|[mM][eE][dD][iI][uU][mM]|[hH][iI][gG][hH]|[cC][rR][iI][tT][iI][cC][aA][lL]|negligible|unimportant|minor|moderate|important|major)\s*$`, "examples": severities()}
	outcomes := oneOf(strs([]policy.Outcome{policy.NotAssessed, policy.Warn, policy.Block}))
	requirement := object(nil, m{
		"tier": m{"type": "integer", "minimum": 1, "maximum": vex.MaxTier}, "signed": flag, "issuers": listOf(text(1024)), "justifications": listOf(oneOf(strs(vex.Justifications))),
	})
	gates := m{
		"evidence":  object(nil, m{"gaps": outcomes, "unknown": outcomes, "unrated": severity}),
		"vex":       object(nil, m{"disputed": oneOf(strs([]policy.Disputed{policy.Distrust, policy.DisputedWarn, policy.DisputedBlock})), "require": requirement, "ignore": flag}),
		"threshold": object(nil, m{"block": severity, "warn": severity}),
	}
	facts := m{}
	for _, f := range policy.Fields() {
		facts[f.Name] = factSchema(&f)
	}
	match := object(nil, facts)
	match["minProperties"] = 1
	rule := object([]string{"id", "action", "because"}, m{
		"id": text(128), "about": oneOf(strs(policy.Abouts[1:])), "match": m{"anyOf": []any{match, m{"type": "array", "items": match, "minItems": 1}}}, "when": m{"type": "string", "minLength": 1, "description": "a CEL expression of type bool"},
		"action": oneOf(strs(policy.Actions)), "until": m{"type": "string"}, "require": requirement,
		"because": text(policy.MaxText), "final": flag, "despite_vex": flag,
	})
	properties := m{
		"id": text(128), "version": m{"type": "integer", "minimum": 1}, "semantics": m{"type": "integer", "minimum": 1, "maximum": policy.Semantics}, "title": text(1024),
		"exceptions": object(nil, m{"max_days": m{"type": "integer", "minimum": 1, "maximum": 36500}, "approver": flag, "severity": severity, "effects": listOf(oneOf(strs(policy.Effects)))}),
		"profiles":   m{"type": "object", "additionalProperties": object(nil, gates)},
		"rules":      m{"anyOf": []any{m{"type": "array", "items": rule, "minItems": 1, "maxItems": policy.MaxRules}}},
	}
	for name, g := range gates {
		properties[name] = g
	}
	root := object([]string{"id", "version"}, properties)
	root["$schema"], root["$id"], root["title"] = "https://json-schema.org/draft/2020-12/schema", SchemaID, "Policy"
	return json.Marshal(root, json.Deterministic(true), jsontext.WithIndent("  "))
}

// factSchema describes what a fact may be compared with.
func factSchema(f *policy.Field) any {
	type m = map[string]any
	var value m
	switch f.Kind {
	case policy.KindFlag:
		value = m{"type": "boolean"}
	case policy.KindSeverity:
		value = m{"type": "string", "minLength": 1}
	case policy.KindNumber:
		value = m{"anyOf": []any{m{"type": "integer"}, m{"type": "string", "pattern": `^[ <>=,.0-9-]+$`}}}
	default:
		value = m{"type": "string", "minLength": 1, "maxLength": policy.MaxText}
		if known := valuesOf(f.Name); known != nil {
			value = m{"anyOf": []any{m{"enum": known}, m{"type": "string", "pattern": `\*`}}}
		}
	}
	forms := []any{value, m{"type": "array", "items": value, "minItems": 1, "maxItems": policy.MaxValues}}
	if f.Kind == policy.KindLabels {
		forms = append(forms, m{"type": "object", "minProperties": 1, "not": m{"required": []string{"not"}}, "additionalProperties": m{"anyOf": []any{value, m{"type": "array", "items": value, "minItems": 1}}}})
	}
	negated := m{"type": "object", "additionalProperties": false, "required": []string{"not"}, "properties": m{"not": m{"anyOf": forms}}}
	return m{"description": f.Doc, "anyOf": append(append([]any{}, forms...), negated)}
}
