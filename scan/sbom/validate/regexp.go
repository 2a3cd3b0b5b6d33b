package validate

import (
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compileRegexp is the engine for patterns of schemas: that of Go, which takes linear
// time and has no lookahead. The one form of lookahead that the schemas use, that the
// text does not begin with something, is a second expression.
func compileRegexp(s string) (jsonschema.Regexp, error) {
	rest, ok := strings.CutPrefix(s, "^(?!")
	if !ok {
		return regexp.Compile(s)
	}
	not, rest, _ := strings.Cut(rest, ")")
	forbidden, err := regexp.Compile("^(?:" + not + ")")
	if err != nil {
		return nil, err
	}
	wanted, err := regexp.Compile("^" + rest)
	if err != nil {
		return nil, err
	}
	return &notBefore{text: s, forbidden: forbidden, wanted: wanted}, nil
}

// notBefore is "^(?!forbidden)wanted".
type notBefore struct {
	text              string
	forbidden, wanted *regexp.Regexp
}

func (n *notBefore) MatchString(s string) bool {
	return n.wanted.MatchString(s) && !n.forbidden.MatchString(s)
}

func (n *notBefore) String() string { return n.text }
