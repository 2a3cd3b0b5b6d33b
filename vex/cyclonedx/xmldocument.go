package cyclonedx

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// document is the XML as its JSON form.
func (in *bomXML) document() (*document, error) {
	spec, ok := strings.CutPrefix(in.XMLName.Space, "http://cyclonedx.org/schema/bom/")
	if in.XMLName.Local != "bom" || !ok {
		return nil, fmt.Errorf("element %.40q of %.100q is not CycloneDX: %w", in.XMLName.Local, in.XMLName.Space, fault.Unsupported)
	}
	d := &document{Format: "CycloneDX", Spec: spec, Serial: in.Serial, Version: 1}
	if in.Version != "" {
		n, err := strconv.Atoi(strings.TrimSpace(in.Version))
		if err != nil {
			return nil, fmt.Errorf("/version: %.40q is no number: %w", in.Version, fault.Invalid)
		}
		d.Version = n
	}
	var s singles
	if s.count("/metadata", len(in.Metadata)) {
		m := &in.Metadata[0]
		d.Metadata.Timestamp = s.text("/metadata/timestamp", m.Timestamp)
		if s.count("/metadata/component", len(m.Component)) {
			c := s.component("/metadata/component", &m.Component[0])
			d.Metadata.Component = &c
		}
		for _, list := range [][]entityXML{m.Manufacturer, m.Authors, m.Supplier} {
			for i := range list {
				d.Metadata.Authors = append(d.Metadata.Authors, entity{s.text("/metadata", list[i].Name)})
			}
		}
	}
	d.Components = s.components("/components/", in.Components)
	d.Services = s.components("/services/", in.Services)
	for i := range in.Vulnerabilities {
		d.parsed = append(d.parsed, s.vulnerability("/vulnerabilities/"+strconv.Itoa(i), &in.Vulnerabilities[i]))
	}
	return d, s.err
}

func (s *singles) components(pointer string, list []componentXML) (out []component) {
	for i := range list {
		out = append(out, s.component(pointer+strconv.Itoa(i), &list[i]))
	}
	return out
}

func (s *singles) component(at string, in *componentXML) component {
	c := component{
		Ref: in.Ref, Name: s.text(at+"/name", in.Name), Version: s.text(at+"/version", in.Version), VersionRange: s.text(at+"/versionRange", in.VersionRange),
		PURL: s.text(at+"/purl", in.PURL), CPE: s.text(at+"/cpe", in.CPE),
		Components: s.components(at+"/components/", in.Components), Services: s.components(at+"/services/", in.Services),
	}
	for _, h := range in.Hashes {
		c.Hashes = append(c.Hashes, hash{h.Algorithm, strings.TrimSpace(h.Content)})
	}
	return c
}

func (s *singles) vulnerability(at string, in *vulnerabilityXML) vulnerability {
	v := vulnerability{
		ID: s.text(at+"/id", in.ID), Recommendation: s.text(at+"/recommendation", in.Recommendation), Workaround: s.text(at+"/workaround", in.Workaround),
	}
	for i := range in.References {
		v.References = append(v.References, vulnID{s.text(at+"/references/"+strconv.Itoa(i)+"/id", in.References[i].ID)})
	}
	if s.count(at+"/analysis", len(in.Analysis)) {
		a := &in.Analysis[0]
		v.Analysis = &analysis{
			State: s.text(at+"/analysis/state", a.State), Justification: s.text(at+"/analysis/justification", a.Justification),
			Detail: s.text(at+"/analysis/detail", a.Detail), FirstIssued: s.text(at+"/analysis/firstIssued", a.FirstIssued),
			LastUpdated: s.text(at+"/analysis/lastUpdated", a.LastUpdated),
		}
		for _, word := range a.Response {
			v.Analysis.Response = append(v.Analysis.Response, strings.TrimSpace(word))
		}
	}
	for i := range in.Affects {
		pointer := at + "/affects/" + strconv.Itoa(i)
		a := affects{Ref: s.text(pointer+"/ref", in.Affects[i].Ref)}
		for j := range in.Affects[i].Versions {
			x, where := &in.Affects[i].Versions[j], pointer+"/versions/"+strconv.Itoa(j)
			a.Versions = append(a.Versions, affectedVersion{s.text(where+"/version", x.Version), s.text(where+"/range", x.Range), s.text(where+"/status", x.Status)})
		}
		v.Affects = append(v.Affects, a)
	}
	for _, p := range in.Properties {
		v.Properties = append(v.Properties, property{p.Name, p.Value})
	}
	return v
}
