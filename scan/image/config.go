package image

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/scan"
	"github.com/stella-ops/stella/scan/sbom"
)

// config is what an image config says that a scan needs (OCI image-spec,
// config.md).
type config struct {
	digest    string
	created   string
	platform  platform
	diffIDs   []string
	createdBy []string // by layer; nil where the history does not tell
	labels    []sbom.Property
	start     scan.Start
	gaps      []sbom.Gap
}

type jsonConfig struct {
	Created      string         `json:"created"`
	OS           string         `json:"os"`
	Architecture string         `json:"architecture"`
	Variant      string         `json:"variant"`
	RootFS       *jsonRootFS    `json:"rootfs"`
	History      jsontext.Value `json:"history"`
	Config       jsontext.Value `json:"config"`
}

// The bounds of an image's labels. More are left out, which is noted.
const (
	maxLabels     = 1000
	maxLabelBytes = 64 << 10
)

type jsonRootFS struct {
	Type    string         `json:"type"`
	DiffIDs jsontext.Value `json:"diff_ids"`
}

type jsonHistory struct {
	CreatedBy  string `json:"created_by"`
	EmptyLayer bool   `json:"empty_layer"`
}

func isConfigType(t string) bool { return t == typeOCIConfig || t == typeDockerConfig }

// parseConfig reads an image config whose digest was verified.
func parseConfig(b []byte, digest string, lim *Limits) (*config, error) {
	what := "image config " + digest
	var j jsonConfig
	if err := decode(b, what, &j, "created", "os", "architecture", "variant", "rootfs", "history", "config"); err != nil {
		return nil, err
	}
	c := &config{digest: digest, created: normalTime(j.Created), platform: platform{j.OS, j.Architecture, j.Variant}}
	if err := c.platform.check(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", what, err, fault.Invalid)
	}
	if j.RootFS == nil || j.RootFS.Type != "" && j.RootFS.Type != "layers" {
		return nil, fmt.Errorf("%s: it has no root filesystem of type layers: %w", what, fault.Unsupported)
	}
	var err error
	if c.diffIDs, err = list[string](j.RootFS.DiffIDs, what+": diff_ids", lim.Layers); err != nil {
		return nil, err
	}
	for i, d := range c.diffIDs {
		if err := checkDigest(d); err != nil {
			return nil, fmt.Errorf("%s: diff_ids: entry %d: %w", what, i, err)
		}
	}
	history, err := list[jsonHistory](j.History, what+": history", lim.History, "created_by", "empty_layer")
	if err != nil {
		return nil, err
	}
	c.setLabels(j.Config)
	c.setStart(j.Config)
	return c, c.setHistory(history, what)
}

// setLabels keeps the labels. They are about the image and not about what is in it, so
// that what is wrong with them is noted, and the image is read all the same.
func (c *config) setLabels(text jsontext.Value) {
	var j struct {
		Labels map[string]string
	}
	what := ""
	if len(text) > 0 {
		if err := json.Unmarshal(text, &j); err != nil {
			what = "the labels cannot be read"
		}
	}
	size := 0
	for name, value := range j.Labels {
		size += len(name) + len(value)
		if strings.ContainsRune(name+value, 0) {
			what = "a label has a NUL"
		}
		c.labels = append(c.labels, sbom.Property{Name: name, Value: value})
	}
	if len(j.Labels) > maxLabels || size > maxLabelBytes {
		what = fmt.Sprintf("there are %d labels of %d bytes, at most %d of %d are kept", len(j.Labels), size, maxLabels, maxLabelBytes)
	}
	if what != "" {
		c.labels = nil
		c.gaps = append(c.gaps, sbom.Gap{Code: sbom.GapOddity, Where: "image config", What: what + ": the image is shown without labels"})
	}
	slices.SortFunc(c.labels, func(a, b sbom.Property) int { return strings.Compare(a.Name, b.Name) })
}

// maxStart bounds the text of what the image runs. Linux takes 128 KiB in one argument.
const maxStart = 256 << 10

// setStart keeps what a container runs. Packages do not depend on it, so that what is
// wrong with it is noted where it is used.
func (c *config) setStart(text jsontext.Value) {
	var j struct {
		Entrypoint, Cmd, Env []string
		WorkingDir           string
	}
	if len(text) == 0 {
		return
	}
	if err := json.Unmarshal(text, &j); err != nil {
		c.start.Unknown = "the image's configuration of it cannot be read"
		return
	}
	size := len(j.WorkingDir)
	for _, s := range slices.Concat(j.Entrypoint, j.Cmd, j.Env) {
		size += len(s) + 1
	}
	if size > maxStart {
		c.start.Unknown = fmt.Sprintf("the image's configuration of it has %d bytes, at most %d are looked at", size, maxStart)
		return
	}
	c.start = scan.Start{Entrypoint: j.Entrypoint, Cmd: j.Cmd, Env: j.Env, WorkingDir: j.WorkingDir}
}

// setHistory gives each layer its line. A history of another length is of no use
// for that; it is noted and left out.
func (c *config) setHistory(history []jsonHistory, what string) error {
	var lines []string
	for i, h := range history {
		if strings.ContainsRune(h.CreatedBy, 0) {
			return fmt.Errorf("%s: history: entry %d: has a NUL: %w", what, i, fault.Invalid)
		}
		if !h.EmptyLayer {
			lines = append(lines, h.CreatedBy)
		}
	}
	switch {
	case len(lines) == len(c.diffIDs):
		c.createdBy = lines
	case len(history) > 0:
		c.gaps = append(c.gaps, sbom.Gap{
			Code: sbom.GapOddity, Where: "image config",
			What: fmt.Sprintf("the history tells of %d layers, the image has %d: layers are shown without their history line", len(lines), len(c.diffIDs)),
		})
	}
	return nil
}

// subject is what is known of the image before a layer is read.
func (c *config) subject() sbom.Subject {
	s := sbom.Subject{
		Kind: sbom.SubjectImage, Name: c.digest, ConfigDigest: c.digest, Platform: c.platform.String(), Labels: c.labels,
		Layers: make([]sbom.Layer, len(c.diffIDs)),
	}
	for i, d := range c.diffIDs {
		s.Layers[i] = sbom.Layer{DiffID: d, CreatedBy: c.line(i)}
	}
	return s
}

func (c *config) line(i int) string {
	if c.createdBy == nil {
		return ""
	}
	return c.createdBy[i]
}

// normalTime turns RFC 3339 into UTC with seconds. What is not a time, lies
// outside four-digit years, or is Go's zero time, which builders write when they
// do not know, becomes "".
func normalTime(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return ""
	}
	t = t.UTC().Truncate(time.Second)
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return ""
	}
	return t.Format("2006-01-02T15:04:05Z")
}
