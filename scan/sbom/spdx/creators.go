package spdx

import (
	"strings"

	"github.com/stella-ops/stella/scan/sbom"
)

const toolPrefix = "Tool:"

// tools returns the tools among the creators.
func tools(creators []string) []sbom.Tool {
	var list []sbom.Tool
	for _, c := range creators {
		if name, ok := strings.CutPrefix(c, toolPrefix); ok && strings.TrimSpace(name) != "" {
			list = append(list, parseTool(strings.TrimSpace(name)))
		}
	}
	return list
}

// parseTool splits "name-version" before the last part that looks like the start
// of a version. SPDX does not say where the name ends.
func parseTool(s string) sbom.Tool {
	for i := len(s) - 2; i > 0; i-- {
		if s[i] != '-' {
			continue
		}
		v := strings.TrimPrefix(s[i+1:], "v")
		if v != "" && '0' <= v[0] && v[0] <= '9' {
			return sbom.Tool{Name: s[:i], Version: s[i+1:]}
		}
	}
	return sbom.Tool{Name: s}
}

// toolText is the inverse of parseTool as far as there is one.
func toolText(t sbom.Tool) string {
	if t.Version == "" {
		return toolPrefix + " " + t.Name
	}
	return toolPrefix + " " + t.Name + "-" + t.Version
}
