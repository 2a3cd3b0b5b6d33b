package console

import "strings"

// diffLine is a line of one of two texts, or of both.
type diffLine struct {
	Sign     string // "+", "-", or "" for a line of both
	Old, New int    // its numbers, from 1; 0 where a text does not have it
	Text     string
}

// hunk is a run of lines with changes among them.
type hunk struct{ Lines []diffLine }

// The bounds of a comparison: how many lines around a change are shown, and how large the
// table of a comparison may be. What is larger is shown as taken out and put in as a whole.
const (
	diffAround = 3
	maxTable   = 4_000_000
)

// diffLines compares two texts line by line, and gives what differs with some lines around
// it; none where they are equal. The end of the last line does not count.
func diffLines(before, after string) []hunk {
	return hunks(script(splitLines(before), splitLines(after)))
}

func splitLines(text string) []string {
	text = strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// script lists all lines of both texts: those of the longest common subsequence once.
func script(a, b []string) (out []diffLine) {
	same := func(i, j int) { out = append(out, diffLine{"", i + 1, j + 1, a[i]}) }
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		same(head, head)
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	n, m := len(a)-head-tail, len(b)-head-tail
	var longest [][]int32 // of what is left from i and j on
	if n > 0 && m > 0 && n <= maxTable/m {
		longest = subsequences(a[head:head+n], b[head:head+m])
	}
	i, j := 0, 0
	for i < n || j < m {
		switch {
		case longest != nil && i < n && j < m && a[head+i] == b[head+j]:
			same(head+i, head+j)
			i, j = i+1, j+1
		case i < n && (j == m || longest == nil || longest[i+1][j] >= longest[i][j+1]):
			out = append(out, diffLine{"-", head + i + 1, 0, a[head+i]})
			i++
		default:
			out = append(out, diffLine{"+", 0, head + j + 1, b[head+j]})
			j++
		}
	}
	for k := tail; k > 0; k-- {
		same(len(a)-k, len(b)-k)
	}
	return out
}

// subsequences gives the length of the longest common subsequence of what is left from each pair of
// places on.
func subsequences(a, b []string) [][]int32 {
	out := make([][]int32, len(a)+1)
	for i := range out {
		out[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				out[i][j] = out[i+1][j+1] + 1
			} else {
				out[i][j] = max(out[i+1][j], out[i][j+1])
			}
		}
	}
	return out
}

// hunks keeps the changes and what is around them.
func hunks(all []diffLine) (out []hunk) {
	for at, kept := 0, 0; at < len(all); at++ {
		if all[at].Sign == "" {
			continue
		}
		from := max(at-diffAround, kept)
		end := at + 1 // after the last change that is near enough to the one before
		for next := end; next < len(all) && next < end+2*diffAround+1; next++ {
			if all[next].Sign != "" {
				end = next + 1
			}
		}
		to := min(end+diffAround, len(all))
		out = append(out, hunk{all[from:to]})
		at, kept = to-1, to
	}
	return out
}
