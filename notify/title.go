package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stella-ops/stella/advisory/finding"
	"github.com/stella-ops/stella/store/event"
)

// Title says in one line what notices, the first of total, tell: such as
// "New critical CVE-2024-1234 affects alpine:latest scan". Without notices it is "".
func Title(list []Notice, total int) string { return title(list, total, worst(list)) }

// title has the worst severity of all, listed or not.
func title(list []Notice, total int, worst finding.Severity) string {
	if len(list) == 0 {
		return ""
	}
	first := &list[0]
	same := func(get func(*Notice) string) bool {
		return !slices.ContainsFunc(list, func(n Notice) bool { return get(&n) != get(first) })
	}
	if !same(func(n *Notice) string { return string(n.Type) }) {
		return strconv.Itoa(total) + " notices about " + count(images(list), total, len(list), "image")
	}
	oneImage := same(func(n *Notice) string { return n.Image })
	switch first.Type {
	case event.AdvisoryDrift:
		return driftTitle(list, total, oneImage, worst)
	case event.ScanCompleted:
		if total == 1 {
			return completedTitle(first)
		}
		return count(images(list), total, len(list), "image") + " scanned"
	case event.VerdictChanged:
		if total == 1 {
			return verdictTitle(first)
		}
		if oneImage {
			return fmt.Sprintf("The verdict on %s changed in %s", first.Image, count(total, total, total, "case"))
		}
		return "The verdict changed on " + count(images(list), total, len(list), "image")
	}
	if total == 1 {
		return otherTitle(first)
	}
	return strconv.Itoa(total) + " times " + string(first.Type)
}

// driftTitle is about vulnerabilities of scans.
func driftTitle(list []Notice, total int, oneImage bool, worst finding.Severity) string {
	first := &list[0]
	vulns := distinct(list, func(n *Notice) string { return n.Vulnerability })
	whom := count(total, total, total, "scan")
	if total == 1 || oneImage && total == len(list) {
		whom = imageOr(first) + " scan"
	}
	if vulns > 1 {
		return fmt.Sprintf("%s affect %s", count(vulns, total, len(list), strings.TrimSpace(string(worst)+" vulnerability")), whom)
	}
	name := strings.TrimSpace(string(first.Severity) + " " + first.Vulnerability)
	if slices.ContainsFunc(list, func(n Notice) bool { return n.Cause != first.Cause }) {
		return fmt.Sprintf("News about %s in %s", name, whom)
	}
	switch first.Cause {
	case "new":
		return fmt.Sprintf("New %s affects %s", name, whom)
	case "kev":
		return fmt.Sprintf("Exploited: %s affects %s", name, whom)
	case "fix_available":
		return fmt.Sprintf("There is a fix for %s, which affects %s", name, whom)
	case "withdrawn":
		return fmt.Sprintf("%s no longer affects %s", first.Vulnerability, whom)
	}
	return fmt.Sprintf("Changed: %s affects %s", name, whom)
}

func completedTitle(n *Notice) string {
	what := "Scan of " + imageOr(n) + " completed"
	switch {
	case n.Assessed == No:
		what += ", vulnerabilities were not assessed"
	case n.Findings != nil && n.count() == 0:
		what += ", no known vulnerabilities"
	case n.Findings != nil:
		what += ": " + Counts(n.Findings)
	}
	if n.Outcome != "" {
		what += ", verdict " + n.Outcome
	}
	return what
}

func verdictTitle(n *Notice) string {
	out := fmt.Sprintf("Verdict on %s is %s", imageOr(n), n.Outcome)
	if n.Environment != "" {
		out += " in " + n.Environment
	}
	if n.Before != "" && n.Before != n.Outcome {
		out += ", was " + n.Before
	}
	if n.Before == n.Outcome && n.Blocked > 0 {
		out += ", other findings block"
	}
	return out
}

func otherTitle(n *Notice) string {
	switch n.Type {
	case event.ScanFailed:
		return "Scan of " + imageOr(n) + " failed"
	case event.ScanCancelled:
		return "Scan of " + imageOr(n) + " was cancelled"
	case event.ScanQueued:
		return "Scan of " + imageOr(n) + " is queued"
	case event.ScanStarted:
		return "Scan of " + imageOr(n) + " began"
	case event.PolicyActivated:
		where := cmp.Or(n.Environment, "the default environment")
		if n.Subject == "" {
			return "No policy is in force any more in " + where
		}
		return "Policy " + n.Subject + " is in force in " + where
	case event.ExceptionCreated:
		return "Exception " + n.Subject + " was made"
	case event.ExceptionRevoked:
		return "Exception " + n.Subject + " was revoked"
	case event.ExceptionExpired:
		return "Exception " + n.Subject + " expired"
	}
	return string(n.Type)
}

// Counts lists findings by severity, the worst first, such as "2 critical, 1 unknown".
func Counts(findings map[finding.Severity]int) string {
	var parts []string
	keys := make([]finding.Severity, 0, len(findings))
	for s := range findings {
		keys = append(keys, s)
	}
	slices.SortFunc(keys, func(a, b finding.Severity) int {
		return cmp.Or(b.Rank()-a.Rank(), strings.Compare(string(a), string(b)))
	})
	for _, s := range keys {
		if findings[s] > 0 {
			parts = append(parts, strconv.Itoa(findings[s])+" "+cmp.Or(string(s), "unknown"))
		}
	}
	return strings.Join(parts, ", ")
}

func imageOr(n *Notice) string { return cmp.Or(n.Image, n.ScanID, "an image") }

// count is "1 image", "3 images"; where not all are known it is at least so many.
func count(n, total, listed int, what string) string {
	some := strconv.Itoa(n)
	if total > listed {
		some = "at least " + some
	}
	if n == 1 {
		return some + " " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok {
		return some + " " + stem + "ies"
	}
	return some + " " + what + "s"
}

func images(list []Notice) int {
	return distinct(list, func(n *Notice) string { return imageOr(n) })
}

func distinct(list []Notice, get func(*Notice) string) int {
	seen := map[string]bool{}
	for i := range list {
		seen[get(&list[i])] = true
	}
	return len(seen)
}

// worst is the highest severity of notices.
func worst(list []Notice) finding.Severity {
	var out finding.Severity
	for i := range list {
		if list[i].Severity.Rank() > out.Rank() {
			out = list[i].Severity
		}
	}
	return out
}
