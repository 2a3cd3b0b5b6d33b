package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/vex"
	"github.com/stella-ops/stella/vex/trust"
	"github.com/stella-ops/stella/vex/vexhttp"
)

var vexRoutes = []route{
	{pattern: "GET vex", serve: vexPage},
	{pattern: "GET vex/trust", serve: believedPage},
	{pattern: "POST vex/trust", large: true, serve: setBelieved},
	{pattern: "POST vex/documents", large: true, serve: uploadVEX},
}

// vexView is how the VEX of a scope stands, and what was looked for in it.
type vexView struct {
	Scope      vexhttp.Scope
	Head       section[*vex.Head]
	Sources    section[[]vex.SourceState]
	Trust      section[*vex.Trust]
	Query      struct{ Vulnerability, Product string }
	Statements section[*vexhttp.StatementPage]
	Decisions  section[*vexhttp.DecisionPage]
	Decided    []decidedView
	MoreSaid   string // address of the next page of statements
	MoreTold   string // and of decisions
	Ingest     bool
	Admin      bool
	Uploaded   *vexhttp.Uploaded
	Wrong      []string // with a document that was sent
	Name       string   // that it was sent by
	Now        time.Time
}

// decidedView is a decision with the statements that made it.
type decidedView struct {
	vex.Decision
	For, Opposed []saidView
}

// saidView is a statement that a decision names; where it is on another page, only its id.
type saidView struct {
	ID        string
	Statement *vex.Statement
}

// vexScope reads whose VEX a page is about.
func (v *visit) vexScope() vexhttp.Scope {
	if v.form("scope") == string(vexhttp.Public) {
		return vexhttp.Public
	}
	return vexhttp.Own
}

// vexOf is a client for a scope.
func (a *api) vexOf(s vexhttp.Scope) *vexhttp.Client {
	if s == vexhttp.Own {
		return a.vex
	}
	return &vexhttp.Client{URL: a.origin, Transport: a.transport, Scope: s}
}

// mayVEX says what the person may do with a scope.
func (v *visit) mayVEX(s vexhttp.Scope) (ingest, admin bool) {
	if s == vexhttp.Public {
		return v.Can(auth.VEXManage), v.Can(auth.VEXManage)
	}
	return v.Can(auth.VEXIngest), v.Can(auth.VEXAdmin)
}

func vexPage(v *visit) error {
	return v.showVEX(http.StatusOK, &vexView{Scope: v.vexScope()})
}

// showVEX reads what the page shows, around what an upload came to.
func (v *visit) showVEX(status int, d *vexView) error {
	d.Now = v.c.Now().UTC()
	d.Ingest, d.Admin = v.mayVEX(d.Scope)
	d.Query.Vulnerability, d.Query.Product = v.form("vulnerability"), v.form("product")
	a := v.api.vexOf(d.Scope)
	reads := []func(){
		read(v, &d.Head, func(ctx context.Context) (*vex.Head, error) { return a.Head(ctx, 0) }),
		read(v, &d.Sources, a.Sources),
		read(v, &d.Trust, a.Trust),
	}
	if d.Query.Vulnerability != "" {
		reads = append(reads,
			read(v, &d.Statements, func(ctx context.Context) (*vexhttp.StatementPage, error) {
				return vexList[vexhttp.StatementPage](ctx, v, d, "/statements", v.form("after"))
			}),
			read(v, &d.Decisions, func(ctx context.Context) (*vexhttp.DecisionPage, error) {
				return vexList[vexhttp.DecisionPage](ctx, v, d, "/consensus", v.form("from"))
			}))
	}
	together(reads...)
	d.join()
	return v.show(status, "vex", "VEX", d)
}

// vexList reads a page of a list about what is looked for.
func vexList[T any](ctx context.Context, v *visit, d *vexView, path, after string) (*T, error) {
	q := url.Values{"vulnerability": {d.Query.Vulnerability}, "scope": {string(d.Scope)}}
	for key, value := range map[string]string{"product": d.Query.Product, "after": after} {
		if value != "" {
			q.Set(key, value)
		}
	}
	out := new(T)
	c := httpjson.Call{What: "read VEX about " + clip(d.Query.Vulnerability, 100), Method: http.MethodGet, Path: path, Query: q, Want: http.StatusOK, Again: true}
	err := v.api.caller("VEX", "/api/v1/vex").Do(ctx, c, httpjson.Into(out, vexhttp.MaxAnswer, nil))
	return out, err
}

// join puts decisions together with the statements that they name, and makes the addresses
// of the next pages.
func (d *vexView) join() {
	of := map[string]*vex.Statement{}
	base := url.Values{"scope": {string(d.Scope)}, "vulnerability": {d.Query.Vulnerability}}
	if d.Query.Product != "" {
		base.Set("product", d.Query.Product)
	}
	onward := func(key, value string) string {
		q := url.Values{key: {value}}
		for k, list := range base {
			q[k] = list
		}
		return Root + "vex?" + q.Encode()
	}
	if s := d.Statements.Value; s != nil {
		for _, i := range s.Statements {
			of[i.ID] = i.Statement
		}
		if s.Next != "" {
			d.MoreSaid = onward("after", s.Next)
		}
	}
	named := func(ids []string) (out []saidView) {
		for _, id := range ids {
			out = append(out, saidView{id, of[id]})
		}
		return out
	}
	if p := d.Decisions.Value; p != nil {
		for _, x := range p.Decisions {
			d.Decided = append(d.Decided, decidedView{x, named(x.Deciding), named(x.Against)})
		}
		if p.Next > 0 {
			d.MoreTold = onward("from", strconv.Itoa(p.Next))
		}
	}
}

// uploadVEX takes a document, and says what came of it.
func uploadVEX(v *visit) error {
	file, head, err := v.r.FormFile("document")
	if err != nil {
		return &pageError{http.StatusBadRequest, "Which document? Choose a file, of 64 MiB at most."}
	}
	defer file.Close()
	defer v.r.MultipartForm.RemoveAll()
	text, err := io.ReadAll(io.LimitReader(file, vexhttp.MaxDocument+1))
	if err != nil {
		return fmt.Errorf("read the document: %v: %w", err, fault.Invalid)
	}
	d := &vexView{Scope: v.vexScope(), Name: v.form("name")}
	if d.Name == "" {
		d.Name = plain(head.Filename)
	}
	out, err := v.api.vexOf(d.Scope).Upload(v.ctx(), d.Name, text)
	if err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		d.Wrong = lines
		return v.showVEX(status, d)
	}
	d.Uploaded = out
	return v.showVEX(http.StatusOK, d)
}

// believedView is whom a scope believes, to be changed.
type believedView struct {
	Scope vexhttp.Scope
	Base  string // digest of the trust that the text was made of
	Text  string
	Wrong []string
}

func believedPage(v *visit) error {
	d := &believedView{Scope: v.vexScope()}
	t, err := v.api.vexOf(d.Scope).Trust(v.ctx())
	if err != nil {
		return err
	}
	d.Base, d.Text = t.Digest(), believedText(t)
	return v.show(http.StatusOK, "believed", "Whose VEX is believed", d)
}

// believedText writes a trust as a document that can be changed.
func believedText(t *vex.Trust) string {
	if t.Issuers == nil {
		t = &vex.Trust{Issuers: []vex.Issuer{}}
	}
	return prettyOf(t)
}

// setBelieved puts the trust of a text in force, where the one that the text was made of still
// is.
func setBelieved(v *visit) error {
	d := &believedView{Scope: v.vexScope(), Base: v.form("base"), Text: area(v, "text")}
	a := v.api.vexOf(d.Scope)
	t, err := d.read()
	if err == nil {
		err = d.unchanged(v.ctx(), a)
	}
	if err == nil {
		err = a.SetTrust(v.ctx(), t)
	}
	if err != nil {
		lines, status, ok := said(err)
		if !ok {
			return err
		}
		var whole *trust.DocumentError
		if errors.As(err, &whole) { // it says each thing on a line of its own
			lines = strings.Split(whole.Error(), "\n")
		}
		d.Wrong = lines[:min(len(lines), 30)]
		return v.show(status, "believed", "Whose VEX is believed", d)
	}
	v.redirect(Root + "vex?done=trusted&scope=" + string(d.Scope))
	return nil
}

// read reads the text. Keys are refused: the service verifies with the keys of its own
// configuration, and a key that it has not would make nothing trusted.
func (d *believedView) read() (*vex.Trust, error) {
	doc, err := trust.Parse("trust", []byte(d.Text))
	if err != nil {
		return nil, err
	}
	if len(doc.Keys) > 0 {
		return nil, fmt.Errorf("keys: the service verifies signatures with the keys of its configuration; name their identities at the issuers instead, such as %s: %w", doc.Keys[0].Identity, fault.Invalid)
	}
	return doc.Trust(), nil
}

// unchanged refuses where another trust is in force than the one that the text was made of.
func (d *believedView) unchanged(ctx context.Context, a *vexhttp.Client) error {
	now, err := a.Trust(ctx)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return err
	}
	if now != nil && now.Digest() != d.Base {
		return fmt.Errorf("somebody else changed the trust meanwhile: load the page anew to see theirs, and take your changes over: %w", fault.Conflict)
	}
	return nil
}
