package githubactions

import "strings"

// text finds lines of a file by their number.
type text struct {
	data  []byte
	start []int // of each line, made when it is first needed
}

// maxLine bounds the lines that are looked at again for a comment.
const maxLine = 1000

// behind returns what stands behind the first mention of word on a line, from 1.
func (t *text) behind(line int, word string) string {
	if t.start == nil {
		t.start = append(t.start, 0)
		for i, c := range t.data {
			if c == '\n' {
				t.start = append(t.start, i+1)
			}
		}
		t.start = append(t.start, len(t.data))
	}
	if line < 1 || line >= len(t.start) || t.start[line]-t.start[line-1] > maxLine {
		return ""
	}
	_, after, _ := strings.Cut(string(t.data[t.start[line-1]:t.start[line]]), word)
	return after
}

// versionIn returns the version that begins a comment: "# v4.1.1", "# tag=v4",
// "# ratchet:actions/checkout@v4".
func versionIn(rest string) string {
	comment, ok := strings.CutPrefix(strings.TrimLeft(rest, "\"' \t"), "#")
	words := strings.Fields(comment)
	if !ok || len(words) == 0 {
		return ""
	}
	word := words[0][strings.LastIndexAny(words[0], "=@")+1:]
	digits := strings.TrimPrefix(word, "v")
	if digits == "" || digits[0] < '0' || digits[0] > '9' || isCommit(word) || len(word) > 64 {
		return ""
	}
	for i := range len(digits) {
		if c := digits[i]; !isLetter(c) && (c < '0' || c > '9') && strings.IndexByte(".+-", c) < 0 {
			return ""
		}
	}
	return word
}

// isCommit reports whether a ref is the whole name of a commit, in SHA-1 or SHA-256.
func isCommit(ref string) bool {
	if len(ref) != 40 && len(ref) != 64 {
		return false
	}
	return strings.Trim(ref, "0123456789abcdefABCDEF") == ""
}

// isName reports whether s can be the name of an owner or a repository.
func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && (c < '0' || c > '9') && strings.IndexByte("._-", c) < 0 {
			return false
		}
	}
	return s != "" && s != "." && s != ".."
}

// isFolder reports whether p leads into a repository, with no detour.
func isFolder(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
