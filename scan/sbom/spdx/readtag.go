package spdx

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/stella-ops/stella/internal/fault"
)

// readTagValue reads the tag-value form.
func readTagValue(r *bufio.Reader, limit *budget) (*document, error) {
	t := &tagReader{w: &document{tagValue: true}, limit: limit}
	lines := &tagLines{r: r}
	for {
		pair, err := lines.next()
		if err == io.EOF {
			return t.w, t.finish()
		}
		if err != nil {
			return nil, err
		}
		t.line = pair.line
		take, ok := tags[pair.tag]
		if !ok {
			return nil, invalid(fmt.Sprintf("line %d", pair.line), "unknown tag %.40q", pair.tag)
		}
		if err := take(t, pair.value); err != nil {
			if !isLimit(err) {
				err = located(fmt.Sprintf("line %d", pair.line), fmt.Errorf("%s: %w", pair.tag, err))
			}
			return nil, err
		}
	}
}

// tagReader holds the elements that the next tags belong to. The pointers lead to
// the last element of each list.
type tagReader struct {
	w     *document
	limit *budget
	line  int

	id           *string // where the next SPDXID goes
	pkg          *packageElement
	file         *fileElement
	snippet      *snippetElement
	license      *extractedLicense
	review       *review
	relationship *relationship
	ref          *externalRef
	annotations  []tagAnnotation
}

// tagAnnotation is an annotation with the element it is about.
type tagAnnotation struct {
	annotation
	target string
	line   int
}

// tagFunc takes the value of one tag.
type tagFunc func(t *tagReader, value string) error

// bad is a problem with a value; the caller adds line and tag.
func bad(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), fault.Invalid)
}

// scalar makes the function for a tag that occurs at most once per element.
func scalar[T any](element func(*tagReader) *T, member func(*T) **string) tagFunc {
	return func(t *tagReader, value string) error {
		e := element(t)
		if e == nil {
			return bad("there is no element yet that it could belong to")
		}
		p := member(e)
		if *p != nil {
			return bad("it is given twice")
		}
		*p = &value
		return nil
	}
}

// list makes the function for a tag that may occur several times per element.
func list[T any](element func(*tagReader) *T, member func(*T) *[]string) tagFunc {
	return func(t *tagReader, value string) error {
		e := element(t)
		if e == nil {
			return bad("there is no element yet that it could belong to")
		}
		p := member(e)
		*p = append(*p, value)
		return nil
	}
}

// begin makes the function for a tag that starts an element.
func begin[T any](slice func(*tagReader) *[]T, current func(*tagReader) **T, set func(t *tagReader, e *T, value string) error) tagFunc {
	return func(t *tagReader, value string) error {
		if err := t.limit.take("", t.line); err != nil {
			return err
		}
		s := slice(t)
		*s = append(*s, *new(T))
		e := &(*s)[len(*s)-1]
		*current(t) = e
		return set(t, e, value)
	}
}

func inDocument(t *tagReader) *document        { return t.w }
func inPackage(t *tagReader) *packageElement   { return t.pkg }
func inFile(t *tagReader) *fileElement         { return t.file }
func inSnippet(t *tagReader) *snippetElement   { return t.snippet }
func inLicense(t *tagReader) *extractedLicense { return t.license }
func inReview(t *tagReader) *review            { return t.review }

func inCreation(t *tagReader) *creationInfo {
	if t.w.CreationInfo == nil {
		t.w.CreationInfo = &creationInfo{}
	}
	return t.w.CreationInfo
}

// takeID takes the SPDXID of the document, a package or a file. A file belongs to
// the package that it stands after.
func takeID(t *tagReader, value string) error {
	target := t.id
	switch {
	case target == nil && t.w.SPDXID == nil:
		t.w.SPDXID = &value
		return nil
	case target == nil || *target != "":
		return bad("it is given twice, or before the element it belongs to")
	}
	*target = value
	if t.file != nil && target == &t.file.SPDXID && t.pkg != nil {
		t.pkg.HasFiles = append(t.pkg.HasFiles, value)
	}
	return nil
}

func takeRelationship(t *tagReader, r *relationship, value string) error {
	words := strings.Fields(value)
	if len(words) != 3 {
		return bad("%.60q is not an element, a type and an element", value)
	}
	r.From, r.Type, r.To = words[0], words[1], words[2]
	return nil
}

// finish places annotations and what else needs the whole document.
func (t *tagReader) finish() error {
	for i := range t.w.Snippets {
		s := &t.w.Snippets[i]
		for j := range s.Ranges {
			s.Ranges[j].Start.Reference, s.Ranges[j].End.Reference = text(s.File), text(s.File)
		}
	}
	byID := t.annotated()
	for _, a := range t.annotations {
		target := a.target
		if target == "" {
			target = text(t.w.SPDXID)
		}
		list := byID[target]
		if list == nil {
			return invalid(fmt.Sprintf("line %d", a.line), "the annotation is about %.60q, which is not an element of the document", target)
		}
		*list = append(*list, a.annotation)
	}
	return nil
}

// annotated returns where the annotations of each element are.
func (t *tagReader) annotated() map[string]*[]annotation {
	if len(t.annotations) == 0 {
		return nil
	}
	byID := map[string]*[]annotation{text(t.w.SPDXID): &t.w.Annotations}
	for i := range t.w.Packages {
		byID[t.w.Packages[i].SPDXID] = &t.w.Packages[i].Annotations
	}
	for i := range t.w.Files {
		byID[t.w.Files[i].SPDXID] = &t.w.Files[i].Annotations
	}
	for i := range t.w.Snippets {
		byID[t.w.Snippets[i].SPDXID] = &t.w.Snippets[i].Annotations
	}
	return byID
}
