package policyhttp

import (
	"context"
	"fmt"
	"net/http"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/internal/httpjson"
	"github.com/stella-ops/stella/policy"
)

// Add keeps a version of a policy, by its text. repeated reports that the same was
// kept before. An error wraps ErrConflict where the version is another policy.
func (c *Client) Add(ctx context.Context, text []byte) (r *policy.Revision, repeated bool, err error) {
	r = new(policy.Revision)
	q := httpjson.Call{What: "keep a policy", Method: http.MethodPost, Path: "/policies", Raw: text, Limit: MaxPolicy, Header: map[string]string{"Content-Type": yaml}, Again: true}
	if repeated, err = c.kept(ctx, q, into(r, func(r *policy.Revision) bool { return r.ID != "" && r.Version > 0 })); err != nil {
		return nil, false, err
	}
	return r, repeated, nil
}

// Policy returns a version of a policy, the newest for 0.
func (c *Client) Policy(ctx context.Context, id string, version int) (*policy.Revision, error) {
	path, err := versionPath(id, version)
	if err != nil {
		return nil, err
	}
	r := new(policy.Revision)
	err = c.get(ctx, "read policy "+id, path, nil, into(r, func(r *policy.Revision) bool {
		return r.ID == id && (version == 0 || r.Version == version) && r.Policy != nil && r.Policy.Digest() == r.Digest
	}))
	if err != nil {
		return nil, err
	}
	return r, nil
}

func versionPath(id string, version int) (string, error) {
	segment, err := name("policy", id)
	if err != nil || version < 0 {
		return "", fmt.Errorf("policy %.80q, version %d: %w", id, version, fault.NotFound)
	}
	if version == 0 {
		return "/policies/" + segment, nil
	}
	return fmt.Sprintf("/policies/%s/versions/%d", segment, version), nil
}

// Source returns the text that a version of a policy was read from.
func (c *Client) Source(ctx context.Context, id string, version int) (text []byte, err error) {
	path, err := versionPath(id, max(version, 1))
	if err != nil {
		return nil, err
	}
	err = c.get(ctx, "read the text of policy "+id, path+"/source", nil, func(resp *http.Response) error {
		text, err = httpjson.ReadTyped(resp, yaml, MaxPolicy)
		return err
	})
	return text, err
}

// Policies lists versions of policies, by id and the newest first, from after, which
// is what the page before returned as next.
func (c *Client) Policies(ctx context.Context, after string) (list []policy.Revision, next string, err error) {
	var page revisionPage
	err = c.get(ctx, "list policies", "/policies", from(after), into(&page, func(p *revisionPage) bool { return p.Policies != nil }))
	return page.Policies, page.Next, err
}

// Activate puts a version of a policy in force. By and At of a are left alone.
func (c *Client) Activate(ctx context.Context, a policy.Activation) (*policy.Activation, error) {
	path, err := versionPath(a.Policy.ID, max(a.Policy.Version, 1))
	if err != nil {
		return nil, err
	}
	out := new(policy.Activation)
	body := activation{Environment: a.Environment, Controls: a.Controls, Rollback: a.Rollback, Reason: a.Reason}
	err = c.post(ctx, "activate policy "+a.Policy.ID, path+"/activate", body, into(out, func(o *policy.Activation) bool { return o.Policy == a.Policy && o.Environment == a.Environment }))
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Deactivate has no policy in force in an environment any more. A reason is required.
func (c *Client) Deactivate(ctx context.Context, environment, reason string) (*policy.Activation, error) {
	out := new(policy.Activation)
	err := c.post(ctx, fmt.Sprintf("end the policy of environment %q", environment), "/policies/deactivate", ending{environment, reason}, into(out, func(o *policy.Activation) bool {
		return o.Policy == policy.Named{} && o.Environment == environment
	}))
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Except keeps an exception. The same key, or ID, and draft is the same exception;
// repeated reports that it was kept before.
func (c *Client) Except(ctx context.Context, d Draft, key string) (k *policy.KeptException, repeated bool, err error) {
	k = new(policy.KeptException)
	q := httpjson.Call{What: "keep an exception", Method: http.MethodPost, Path: "/exceptions", Body: d, Limit: MaxBody, Again: key != "" || d.ID != ""}
	if key != "" {
		q.Header = map[string]string{KeyHeader: key}
	}
	read := into(k, func(k *policy.KeptException) bool {
		return k.Exception.ID != "" && (d.ID == "" || k.Exception.ID == d.ID)
	})
	if repeated, err = c.kept(ctx, q, read); err != nil {
		return nil, false, err
	}
	return k, repeated, nil
}

// Exception returns an exception with its history.
func (c *Client) Exception(ctx context.Context, id string) (*policy.KeptException, error) {
	segment, err := name("exception", id)
	if err != nil {
		return nil, err
	}
	k := new(policy.KeptException)
	if err := c.get(ctx, "read exception "+id, "/exceptions/"+segment, nil, into(k, func(k *policy.KeptException) bool { return k.Exception.ID == id })); err != nil {
		return nil, err
	}
	return k, nil
}

// Exceptions lists exceptions by id, from after, which is what the page before
// returned as next.
func (c *Client) Exceptions(ctx context.Context, after string) (list []policy.Exception, next string, err error) {
	var page exceptionPage
	err = c.get(ctx, "list exceptions", "/exceptions", from(after), into(&page, func(p *exceptionPage) bool { return p.Exceptions != nil }))
	return page.Exceptions, page.Next, err
}

// Revoke takes an exception back. A reason is required.
func (c *Client) Revoke(ctx context.Context, id, reason string) (*policy.KeptException, error) {
	segment, err := name("exception", id)
	if err != nil {
		return nil, err
	}
	k := new(policy.KeptException)
	if err := c.post(ctx, "revoke exception "+id, "/exceptions/"+segment+"/revoke", revocation{reason}, into(k, func(k *policy.KeptException) bool { return k.Exception.ID == id })); err != nil {
		return nil, err
	}
	return k, nil
}
