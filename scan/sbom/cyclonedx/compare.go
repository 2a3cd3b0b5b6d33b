package cyclonedx

import (
	"slices"
)

// sameMember reports whether the member of a written object equals n, lists
// compared without regard to order.
func sameMember(object []byte, name string, n *node) bool {
	o, err := parseNode(object)
	if err != nil {
		return false
	}
	written := o.get(name)
	return equalNodes(&written, n)
}

func equalNodes(a, b *node) bool { return canonicalText(a) == canonicalText(b) }

// canonicalText is the text of n with members and items in order.
func canonicalText(n *node) string {
	c := node{kind: n.kind, text: n.text}
	for i := range n.items {
		c.items = append(c.items, node{kind: rawKind, text: canonicalText(&n.items[i])})
	}
	slices.SortFunc(c.items, func(a, b node) int { return compareText(a.text, b.text) })
	for i := range n.fields {
		c.fields = append(c.fields, field{n.fields[i].name, node{kind: rawKind, text: canonicalText(&n.fields[i].value)}})
	}
	c.sort()
	return string(c.append(nil))
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
