package java

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stella-ops/stella/internal/fault"
)

// tree is a document as "name(text child…)", read here.
func tree(data []byte) (string, error) {
	x, err := newXMLReader(data)
	if err != nil {
		return "", err
	}
	root, err := x.root()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	var walk func(name string) error
	walk = func(name string) error {
		b.WriteString(name + "(")
		err := x.each(walk)
		b.WriteString(")")
		return err
	}
	err = walk(root)
	return b.String(), err
}

// referenceTree is the same by encoding/xml, which is stricter in details.
func referenceTree(data []byte) (string, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return nil, errors.New("charset") }
	var b strings.Builder
	depth := 0
	for {
		token, err := d.RawToken()
		if err != nil {
			return "", err
		}
		switch token := token.(type) {
		case xml.StartElement:
			b.WriteString(token.Name.Local + "(")
			depth++
		case xml.EndElement:
			b.WriteString(")")
			if depth--; depth == 0 {
				return b.String(), nil
			}
		case xml.Directive:
			return "", errors.New("directive")
		}
	}
}

func TestXML(t *testing.T) {
	for name, tt := range map[string]struct{ data, want string }{
		"nested":     {"<?xml version='1.0'?><!-- c --><a x='1>2' y=\"'\"><b/><c >t</c\n></a>", "a(b()c())"},
		"name space": {"<m:project xmlns:m='http://maven.apache.org/POM/4.0.0'><m:a/></m:project>", "project(a())"},
		"CDATA":      {"<a><![CDATA[<b>]]><c/></a>", "a(c())"},
		"BOM":        {"\xef\xbb\xbf<a/>", "a()"},
		"Latin-1":    {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>", "a()"},
		"comment":    {"<a><!-- <b> -- ></a> --></a>", "a()"},
	} {
		if got, err := tree([]byte(tt.data)); err != nil || got != tt.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, tt.want)
		}
	}
}

func TestBadXML(t *testing.T) {
	for name, tt := range map[string]struct {
		data string
		kind fault.Kind
		says string
	}{
		"empty":         {"", fault.Invalid, "no element"},
		"text":          {"hello", fault.Invalid, "no element"},
		"cut":           {"<a>\n<b>", fault.Invalid, "line 2: the document ends inside <b>"},
		"cut in a tag":  {"<a><b x='", fault.Invalid, "inside the tag <b>"},
		"wrong end":     {"<a><b></a></b>", fault.Invalid, "</a> ends nothing"},
		"entity bomb":   {`<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>`, fault.Invalid, "document type"},
		"external":      {`<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`, fault.Invalid, "document type"},
		"comment":       {"<a><!-- </a>", fault.Invalid, `no "-->"`},
		"deep":          {strings.Repeat("<a>", 100_000), fault.Limit, "depth of elements"},
		"UTF-16":        {"\xff\xfe<\x00a\x00/\x00>\x00", fault.Unsupported, "UTF-16"},
		"encoding":      {"<?xml version='1.0' encoding='EBCDIC-CP-US'?><a/>", fault.Unsupported, "ebcdic"},
		"no name":       {"<a>< b/></a>", fault.Invalid, "without a name"},
		"tag in a tag":  {"<a <b/></a>", fault.Invalid, "inside the tag"},
		"only a letter": {"<", fault.Invalid, "without a name"},
	} {
		_, err := tree([]byte(tt.data))
		if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: error %v, want the kind %q and %q", name, err, tt.kind, tt.says)
		}
	}
}

func TestXMLText(t *testing.T) {
	data := "<a> one <!-- c -->&amp; &#116;wo<b>not</b> <![CDATA[<3&amp;]]> &#x263A; &oslash; &; &#xFFFFFFFF; &#0; & \xff</a>"
	x, err := newXMLReader([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.root(); err != nil {
		t.Fatal(err)
	}
	got, err := x.text()
	if diff := cmp.Diff("one & two <3&amp; \u263A &oslash; &; &#xFFFFFFFF; &#0; & \uFFFD", got); diff != "" || err != nil {
		t.Errorf("want (-), got (+):\n%s%v", diff, err)
	}
}
