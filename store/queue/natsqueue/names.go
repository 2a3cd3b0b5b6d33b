package natsqueue

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// headerID carries a message's ID, escaped.
const headerID = "Stella-Id"

var (
	plainTopic = regexp.MustCompile(`^[a-z0-9-]+(:[a-z0-9-]+)*$`)
	plainGroup = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)
)

// streamName and subject are of a topic. What stands for other topics cannot be
// made by a plain one.
func (d *driver) streamName(topic string) string {
	name := "X__" + hex.EncodeToString([]byte(topic))
	if plainTopic.MatchString(topic) {
		name = strings.ToUpper(strings.ReplaceAll(topic, ":", "_"))
	}
	if d.o.Prefix != "" {
		name = strings.ToUpper(d.o.Prefix) + "_" + name
	}
	return name
}

func (d *driver) subject(topic string) string {
	name := "_." + hex.EncodeToString([]byte(topic))
	if plainTopic.MatchString(topic) {
		name = strings.ReplaceAll(topic, ":", ".")
	}
	if d.o.Prefix != "" {
		name = d.o.Prefix + "." + name
	}
	return name
}

// bucket is the name of a key-value bucket.
func (d *driver) bucket(name string) string {
	if d.o.Prefix != "" {
		return d.o.Prefix + "-" + name
	}
	return name
}

func durable(group string) string {
	if plainGroup.MatchString(group) && !strings.HasPrefix(group, "x__") {
		return group
	}
	return "x__" + hex.EncodeToString([]byte(group))
}

// escape makes an ID fit into a header, which is ASCII and loses blanks at its
// ends.
func escape(id string) string {
	var b strings.Builder
	for i := range len(id) {
		if c := id[i]; c > ' ' && c < 0x7F && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// unescape leaves what was not escaped as it is.
func unescape(s string) string {
	if id, err := url.PathUnescape(s); err == nil {
		return id
	}
	return s
}
