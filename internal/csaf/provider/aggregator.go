package provider

import (
	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/csaf/shape"
)

// Aggregator is an aggregator.json: a list of providers, some with mirrors.
//
// Source: CSAF 2.0, section 7.1.21 and aggregator_json_schema.json.
type Aggregator struct {
	Aggregator   csaf.Publisher `json:"aggregator"` // its category is "aggregator" or "lister"
	Version      string         `json:"aggregator_version"`
	CanonicalURL string         `json:"canonical_url"`
	LastUpdated  string         `json:"last_updated"`
	Providers    []Listed       `json:"csaf_providers"`
	Publishers   []Listed       `json:"csaf_publishers,omitzero"`
}

// Listed is a provider or publisher in an aggregator's list.
type Listed struct {
	Metadata       ListedMetadata `json:"metadata"`
	Mirrors        []string       `json:"mirrors,omitzero"`
	UpdateInterval string         `json:"update_interval,omitzero"` // of publishers
}

// ListedMetadata says where a provider's own metadata are.
type ListedMetadata struct {
	LastUpdated string         `json:"last_updated"`
	Publisher   csaf.Publisher `json:"publisher"`
	Role        string         `json:"role,omitzero"`
	URL         string         `json:"url"`
}

// ParseAggregator reads an aggregator.json. An error wraps [ErrInvalid] or
// [ErrLimit].
func ParseAggregator(text []byte, limits *Limits) (*Aggregator, error) {
	l := limits.withDefaults()
	var a Aggregator
	if err := decode("aggregator", text, aggregatorRule, l, &a); err != nil {
		return nil, err
	}
	if err := l.entries("aggregator", len(a.Providers)+len(a.Publishers)); err != nil {
		return nil, err
	}
	return &a, nil
}

var aggregatorRule = func() *shape.Rule {
	text := shape.Text()
	metadata := shape.Struct(members{
		"last_updated": date, "publisher": csaf.PublisherRule(), "role": role, "url": providerURL,
	}, "last_updated", "publisher", "url")
	mirrors := shape.Set(1, providerURL)
	return shape.Struct(members{
		"aggregator": shape.Struct(members{
			"category": shape.OneOf("aggregator", "lister"), "contact_details": text, "issuing_authority": text, "name": text, "namespace": anyURL,
		}, "category", "name", "namespace"),
		"aggregator_version": shape.OneOf("2.0"),
		"canonical_url":      shape.Formatted(0, uriFormat, suffix("/aggregator.json")),
		"csaf_providers":     shape.Set(1, shape.Struct(members{"metadata": metadata, "mirrors": mirrors}, "metadata")),
		"csaf_publishers": shape.Set(1, shape.Struct(members{
			"metadata": metadata, "mirrors": mirrors, "update_interval": text,
		}, "metadata", "mirrors", "update_interval")),
		"last_updated": date,
	}, "aggregator", "aggregator_version", "canonical_url", "csaf_providers", "last_updated")
}()
