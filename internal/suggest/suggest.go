// Package suggest finds the name that somebody most likely meant.
package suggest

import "fmt"

// maxName bounds what is compared, in bytes: nobody misspells longer names.
const maxName = 64

// Nearest returns the candidate that is nearest to a name by edit distance (one swap
// of neighbours counts as one edit), the first of equals; "" where none is near: more
// than a third of the longer name differs.
func Nearest(name string, candidates []string) string {
	best, at := "", maxName
	if name == "" || len(name) > maxName {
		return ""
	}
	for _, c := range candidates {
		if len(c) > maxName {
			continue
		}
		if d := distance(name, c); d < at && 3*d <= max(len(name), len(c), 3) {
			best, at = c, d
		}
	}
	return best
}

// Phrase returns "; did you mean …?" for the nearest candidate, "" for none.
func Phrase(name string, candidates []string) string {
	if n := Nearest(name, candidates); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}

// distance is the optimal string alignment distance of two texts in bytes.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
