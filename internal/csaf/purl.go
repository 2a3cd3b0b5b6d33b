package csaf

import (
	"fmt"
	"slices"

	packageurl "github.com/package-url/packageurl-go"
)

// What types of package URLs ask for, beyond the grammar.
//
// Source: purl specification, type definitions of 2026-08.
var (
	withoutNamespace = []string{
		"bazel", "bitnami", "cargo", "chrome-extension", "cocoapods", "conda", "cran", "gem", "hackage", "julia", "mlflow", "nuget", "oci",
		"opam", "otp", "pub", "pypi", "vcpkg",
	}
	withNamespace = []string{
		"alpm", "apk", "bitbucket", "composer", "deb", "git", "github", "golang", "huggingface", "maven", "qpkg", "rpm", "swift",
		"vscode-extension",
	}
	withQualifier = map[string]string{"julia": "uuid", "swid": "tag_id"}
)

// purlFault says why s is no package URL, or "".
func purlFault(s string) string {
	u, err := packageurl.FromString(s)
	if err != nil {
		return err.Error()
	}
	key := withQualifier[u.Type]
	switch {
	case u.Namespace != "" && slices.Contains(withoutNamespace, u.Type):
		return fmt.Sprintf("type %s has no namespace", u.Type)
	case u.Namespace == "" && slices.Contains(withNamespace, u.Type):
		return fmt.Sprintf("type %s needs a namespace", u.Type)
	case key != "" && u.Qualifiers.Map()[key] == "":
		return fmt.Sprintf("type %s needs the qualifier %s", u.Type, key)
	}
	return ""
}
