package template

import (
	"regexp"
	"strings"
)

// secret matches what tokens and keys of well-known makers look like.
var secret = regexp.MustCompile(`xox[abeprs]-[0-9A-Za-z-]{10,}|xapp-[0-9A-Za-z-]{10,}` +
	`|hooks\.slack\.com/(?:services|workflows|triggers)/[0-9A-Za-z/]{10,}` +
	`|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[opsur]_[0-9A-Za-z]{30,}|github_pat_[0-9A-Za-z_]{20,}|glpat-[0-9A-Za-z_-]{15,}` +
	`|\b(?:sk|rk)_live_[0-9A-Za-z]{10,}|whsec_[0-9A-Za-z+/=]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----` +
	`|\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*|[a-z]{2,10}://[^\s/:@"{}]{1,64}:[^\s/@"{}]{3,64}@`)

const shortestSecret = len("ab://c:def@")

// anchors are what each match has one of: most texts have none, and are not searched.
func anchors() []string {
	return []string{"xox", "xapp-", "slack.com/", "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "_live_", "whsec_", "-----BEGIN", "eyJ", "://"}
}

// secrets returns where a text seems to hold secrets.
func secrets(s string) []int {
	var out []int
	for _, m := range secret.FindAllStringIndex(s, maxProblems) {
		out = append(out, m[0])
	}
	return out
}

// masked returns a text without what seems to be a secret.
func masked(s string) (string, bool) {
	if len(s) < shortestSecret {
		return s, false
	}
	for _, a := range anchors() {
		if strings.Contains(s, a) {
			out := secret.ReplaceAllString(s, "[secret]")
			return out, out != s
		}
	}
	return s, false
}
