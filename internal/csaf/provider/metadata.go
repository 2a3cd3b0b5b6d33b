package provider

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stella-ops/stella/internal/csaf"
	"github.com/stella-ops/stella/internal/csaf/shape"
)

// Metadata is a provider-metadata.json, of version 2.0 or 2.1.
//
// Source: CSAF 2.0, section 7.1.7 and provider_json_schema.json.
type Metadata struct {
	CanonicalURL  string         `json:"canonical_url"`
	Distributions []Distribution `json:"distributions,omitzero"`
	LastUpdated   string         `json:"last_updated"`
	List          bool           `json:"list_on_CSAF_aggregators"`
	Mirror        bool           `json:"mirror_on_CSAF_aggregators"`
	Version       string         `json:"metadata_version"`
	Keys          []Key          `json:"public_openpgp_keys,omitzero"`
	Publisher     csaf.Publisher `json:"publisher"`
	Role          string         `json:"role"`
}

// Trusted reports whether the provider says that it has digests and signatures
// for all documents, which then must be checked (section 7.3.2).
func (m *Metadata) Trusted() bool { return m.Role == "csaf_trusted_provider" }

// Distribution is a folder, or ROLIE feeds, or both.
type Distribution struct {
	DirectoryURL string     `json:"directory_url,omitzero"` // 2.0
	Directory    *Directory `json:"directory,omitzero"`     // 2.1
	ROLIE        *ROLIE     `json:"rolie,omitzero"`
}

// Directory is a folder in CSAF 2.1.
type Directory struct {
	Label string `json:"tlp_label"`
	URL   string `json:"url"`
}

// ROLIE lists the documents of a ROLIE distribution.
type ROLIE struct {
	Categories []string  `json:"categories,omitzero"`
	Feeds      []FeedRef `json:"feeds"`
	Services   []string  `json:"services,omitzero"`
}

// FeedRef says where a feed is. Label is the label of all its documents:
// "UNLABELED" or one of the Traffic Light Protocol.
type FeedRef struct {
	LastUpdated string `json:"last_updated,omitzero"` // 2.1
	Summary     string `json:"summary,omitzero"`
	Label       string `json:"tlp_label"`
	URL         string `json:"url"`
}

// Key is an OpenPGP key with which documents are signed.
type Key struct {
	Fingerprint string `json:"fingerprint,omitzero"` // in hexadecimal digits
	URL         string `json:"url"`
}

// Feeds returns all feeds of all distributions.
func (m *Metadata) Feeds() (out []FeedRef) {
	for _, d := range m.Distributions {
		if d.ROLIE != nil {
			out = append(out, d.ROLIE.Feeds...)
		}
	}
	return out
}

// Directories returns the URLs of all folders, of either version.
func (m *Metadata) Directories() (out []string) {
	for _, d := range m.Distributions {
		if d.DirectoryURL != "" {
			out = append(out, d.DirectoryURL)
		}
		if d.Directory != nil {
			out = append(out, d.Directory.URL)
		}
	}
	return out
}

// ParseMetadata reads a provider-metadata.json. An error wraps [ErrInvalid],
// [ErrLimit], or [ErrUnsupported] for another metadata_version.
func ParseMetadata(text []byte, limits *Limits) (*Metadata, error) {
	l := limits.withDefaults()
	if err := l.check("provider metadata", text); err != nil {
		return nil, err
	}
	var head struct {
		Version string `json:"metadata_version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("provider metadata: %w", shape.Syntax(err))
	}
	rule := metadata20
	switch head.Version {
	case csaf.Version20:
	case csaf.Version21:
		rule = metadata21
	default:
		return nil, fmt.Errorf("provider metadata: /metadata_version: %.32q is neither 2.0 nor 2.1: %w", head.Version, ErrUnsupported)
	}
	var m Metadata
	if err := decode("provider metadata", text, rule, l, &m); err != nil {
		return nil, err
	}
	return &m, nil
}

type members = map[string]*shape.Rule

var (
	uriFormat   = shape.Format{Name: "a URI", OK: csaf.IsURI}
	jsonURL     = shape.Formatted(0, uriFormat, suffix(".json"))
	anyURL      = shape.Formatted(0, uriFormat)
	providerURL = shape.Formatted(0, uriFormat, suffix("/provider-metadata.json"))
	date        = shape.Formatted(0, shape.Format{Name: "a date and time of RFC 3339", OK: func(s string) bool { _, ok := csaf.Time(s); return ok }})
	role        = shape.OneOf("csaf_publisher", "csaf_provider", "csaf_trusted_provider")
	boolean     = &shape.Rule{Kind: shape.Bool}

	metadata20 = metadataRule("2.0", csaf.PublisherRule(), "directory_url", anyURL, Unlabeled, "WHITE", "GREEN", "AMBER", "RED")
	metadata21 = metadataRule("2.1", csaf.PublisherRule("multiplier"), "directory", directory21(), labels21...)
	labels21   = []string{"AMBER", "AMBER+STRICT", "CLEAR", "GREEN", "RED"}
)

func suffix(end string) shape.Format {
	return shape.Format{Name: "a URL that ends with " + end, OK: func(s string) bool { return strings.HasSuffix(s, end) }}
}

func directory21() *shape.Rule {
	return shape.Struct(members{"tlp_label": shape.OneOf(labels21...), "url": anyURL}, "tlp_label", "url")
}

func metadataRule(version string, publisher *shape.Rule, directory string, rule *shape.Rule, labels ...string) *shape.Rule {
	feed := shape.Struct(members{
		"summary":   {Kind: shape.String},
		"tlp_label": shape.OneOf(labels...),
		"url":       jsonURL,
	}, "tlp_label", "url")
	distribution := shape.Struct(members{
		directory: rule,
		"rolie": shape.Struct(members{
			"categories": shape.Set(1, jsonURL), "feeds": shape.Set(1, feed), "services": shape.Set(1, jsonURL),
		}, "feeds"),
	})
	distribution.Min = 1
	fingerprint := shape.Format{Name: "a fingerprint of 40 hexadecimal digits or more", OK: isFingerprint}
	return shape.Struct(members{
		"canonical_url":              providerURL,
		"distributions":              shape.Set(1, distribution),
		"last_updated":               date,
		"list_on_CSAF_aggregators":   boolean,
		"mirror_on_CSAF_aggregators": boolean,
		"metadata_version":           shape.OneOf(version),
		"public_openpgp_keys": {Kind: shape.Array, Items: shape.Struct(members{
			"fingerprint": shape.Formatted(0, fingerprint), "url": anyURL,
		}, "url")},
		"publisher": publisher,
		"role":      role,
	}, "canonical_url", "last_updated", "list_on_CSAF_aggregators", "mirror_on_CSAF_aggregators", "metadata_version", "publisher", "role")
}

func isFingerprint(s string) bool { return len(s) >= 40 && isHex(s) }

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }
