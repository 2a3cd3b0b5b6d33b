package version

import "strings"

// maven orders Maven versions as the current ComparableVersion does: items
// after dots and hyphens and between digits and letters; numbers, known
// qualifiers (alpha, beta, milestone, rc, snapshot, the release, sp) and after
// them all others; a hyphen opens a list, which precedes a number in its place
// and follows a qualifier; what is missing counts as 0 or as the release.
//
// The order is Maven's own and not transitive among versions with several
// qualifiers: 0 > 0-rc > 0.a-rc, yet 0 < 0.a-rc.
//
// Source: Maven POM reference, "Version Order Specification"; Maven 4,
// ComparableVersion (unchanged in order since 3.9.3: MNG-7644, MNG-7714).
var maven = rules{
	name:    "maven",
	parse:   func(s string) ([]byte, string) { return mavenKey(nil, s) },
	order:   func(v, w Version) int { return compareMavenKeys(v.key, w.key) },
	compare: compareMaven,
}

func compareMaven(a, b string) (int, bool) {
	var abuf, bbuf [keySize]byte
	x, why := mavenKey(abuf[:0], a)
	if why != "" {
		return 0, false
	}
	y, why := mavenKey(bbuf[:0], b)
	if why != "" {
		return 0, false
	}
	return compareMavenKeys(x, y), true
}

// mavenKind is the kind of an item. Where two versions differ in it, the later
// kind is the greater, save that a qualifier and a combination compare.
type mavenKind byte

const (
	mavenQualifier   mavenKind = iota + 1 // letters
	mavenCombination                      // letters and a number: rc1, rc-1
	mavenList                             // opens a list that holds all items after it
	mavenNumber
)

// mavenItem is one item of a version. A version's lists nest only at their end,
// so that a flat sequence with marks where lists open holds all of it.
type mavenItem struct {
	kind       mavenKind
	isDropped  bool // by normalization
	start, end int  // of its text
	number     int  // where the number of a combination starts
}

func mavenKey(key []byte, s string) ([]byte, string) {
	switch {
	case s == "":
		return nil, whyEmpty
	case hasControl(s):
		return nil, whyControl
	}
	if !isASCII(s) {
		s = strings.ToLower(s)
	}
	var buf [24]mavenItem // room on the stack for a usual version
	items := buf[:0]
	if n := maxMavenItems(s); n > len(buf) {
		items = make([]mavenItem, 0, n)
	}
	items = splitMaven(items, s)
	dropMavenNulls(items, s)
	for _, item := range items {
		if !item.isDropped {
			key = item.appendKey(key, s)
		}
	}
	return key, ""
}

// appendKey encodes an item of text: its kind, then the rank of its letters
// and, where that does not say all, the letters, then its number.
func (m mavenItem) appendKey(key []byte, text string) []byte {
	key = append(key, byte(m.kind))
	switch m.kind {
	case mavenNumber:
		return appendNumber(key, text[m.start:m.end])
	case mavenCombination:
		letters := strings.TrimSuffix(text[m.start:m.number], "-")
		return appendNumber(appendMavenLetters(key, letters, true), text[m.number:m.end])
	case mavenQualifier:
		return appendMavenLetters(key, text[m.start:m.end], false)
	}
	return key
}

func appendMavenLetters(key []byte, letters string, hasNumber bool) []byte {
	rank := mavenRank(letters, hasNumber)
	key = append(key, rank)
	if rank == mavenUnknown {
		key = append(appendFold(key, letters), 0)
	}
	return key
}

// Ranks of qualifiers, in their order.
const (
	mavenAlpha = iota
	mavenBeta
	mavenMilestone
	mavenRC
	mavenSnapshot
	mavenRelease
	mavenSP
	mavenUnknown
)

// maxMavenQualifier is the length of the longest known qualifier, milestone.
const maxMavenQualifier = 9

func mavenRank(s string, hasNumber bool) byte {
	if len(s) > maxMavenQualifier {
		return mavenUnknown
	}
	var buf [maxMavenQualifier]byte
	letters := appendFold(buf[:0], s)
	switch string(letters) {
	case "alpha":
		return mavenAlpha
	case "beta":
		return mavenBeta
	case "milestone":
		return mavenMilestone
	case "rc", "cr":
		return mavenRC
	case "snapshot":
		return mavenSnapshot
	case "", "ga", "final", "release":
		return mavenRelease
	case "sp":
		return mavenSP
	}
	if hasNumber && len(letters) == 1 { // a1, b1 and m1 are short forms
		switch letters[0] {
		case 'a':
			return mavenAlpha
		case 'b':
			return mavenBeta
		case 'm':
			return mavenMilestone
		}
	}
	return mavenUnknown
}

// dropMavenNulls normalizes the lists of a version, the innermost first: a zero
// or an empty list goes where it is at the end of its list or has a qualifier,
// or a list that starts with letters, right after it.
func dropMavenNulls(items []mavenItem, text string) {
	// next is the kind of the item that was kept last in the current list, and
	// first that of the first item of the list, where next is a list.
	var next, first mavenKind
	for i := len(items) - 1; i >= 0; i-- {
		m := &items[i]
		if m.kind == mavenList {
			if m.isDropped = next == 0; !m.isDropped {
				next, first = mavenList, next
			}
			continue
		}
		if m.kind == mavenNumber && trimZeros(text[m.start:m.end]) == "" {
			m.isDropped = next == 0 || next == mavenQualifier ||
				next == mavenList && (first == mavenQualifier || first == mavenCombination)
		}
		if !m.isDropped {
			next = m.kind
		}
	}
}

// maxMavenItems is at least how many items s has: one for each place where one
// may end, and a list for each.
func maxMavenItems(s string) int {
	n, last := 2, byte('.')
	for i := range len(s) {
		c := s[i]
		isSeparator := c == '.' || c == '-'
		if isSeparator || last != '.' && last != '-' && isDigit(c) != isDigit(last) {
			n += 2
		}
		last = c
	}
	return n
}

// splitMaven appends the items of s.
func splitMaven(items []mavenItem, s string) []mavenItem {
	start, isDigits, isCombination := 0, false, false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			items = appendMaven(items, s, start, i, isDigits, isCombination)
			start, isCombination = i+1, false
		case c == '-':
			if i > start && !isDigits && i+1 < len(s) && isDigit(s[i+1]) {
				isCombination = true // the hyphen only joins letters to a number
				continue
			}
			items = appendMaven(items, s, start, i, isDigits, isCombination)
			items = openMaven(items)
			start, isCombination = i+1, false
		case isDigit(c):
			if !isDigits && i > start {
				items = openMaven(items)
				isCombination = true
			}
			isDigits = true
		default:
			if isDigits && i > start {
				items = appendMaven(items, s, start, i, true, isCombination)
				items = openMaven(items)
				start, isCombination = i, false
			}
			isDigits = false
		}
	}
	if start < len(s) {
		if !isDigits {
			items = openMaven(items)
		}
		items = appendMaven(items, s, start, len(s), isDigits, isCombination)
	}
	return items
}

// openMaven opens a list in the last one, unless that is still empty.
func openMaven(items []mavenItem) []mavenItem {
	if len(items) == 0 || items[len(items)-1].kind == mavenList {
		return items
	}
	return append(items, mavenItem{kind: mavenList})
}

// appendMaven appends the item of s[start:end]; one without text is zero.
func appendMaven(items []mavenItem, s string, start, end int, isDigits, isCombination bool) []mavenItem {
	item := mavenItem{kind: mavenQualifier, start: start, end: end}
	switch {
	case start == end:
		item.kind = mavenNumber
	case isCombination:
		item.kind, item.number = mavenCombination, start
		for !isDigit(s[item.number]) {
			item.number++
		}
	case isDigits:
		item.kind = mavenNumber
	}
	return append(items, item)
}
