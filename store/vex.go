package store

import (
	"context"
	"fmt"

	"github.com/stella-ops/stella/internal/fault"
	"github.com/stella-ops/stella/vex"
)

// VEX is what suppliers say about vulnerabilities in their products, and what
// follows: what is public, or what one tenant has of its own. A tenant's does not
// contain what is public; who evaluates joins both. It is a vex.Feeds and vex.Heads,
// and safe for concurrent use. Make it with Root.VEX or Tenant.VEX.
type VEX struct {
	root  *Root
	scope Scope
}

var (
	_ vex.Feeds = (*VEX)(nil)
	_ vex.Heads = (*VEX)(nil)
)

// The bounds of what is kept of VEX.
const (
	MaxVEXDocument    = 64 << 20  // bytes of a raw document
	MaxVEXName        = 1024      // bytes of a document's name
	MaxVulnerability  = 256       // bytes of the id of a vulnerability
	MaxDecisions      = 5_000_000 // of one commit
	maxVEXProof       = 1 << 20   // bytes of a detached signature
	statementsPage    = 500       // that are read at a time
	maxQuarantineText = 1000
)

// publicVEX is the scope of VEX that belongs to no tenant.
var publicVEX = Scope{Role: RoleExcititor}

// VEX returns the VEX that is public.
func (r *Root) VEX() *VEX { return &VEX{r, publicVEX} }

// VEX returns the tenant's own VEX.
func (t *Tenant) VEX() *VEX { return &VEX{t.root, Scope{RoleTenant, t.name}} }

func (v *VEX) write(ctx context.Context, what string, f func(*tx) error) error {
	return v.root.write(ctx, v.scope, what, f)
}

func (v *VEX) read(ctx context.Context, what string, f func(*tx) error) error {
	return v.root.read(ctx, v.scope, what, f)
}

// checkVulnerability refuses ids that cannot be looked for.
func checkVulnerability(id string) error {
	if id == "" {
		return fmt.Errorf("the id of a vulnerability is empty: %w", fault.Invalid)
	}
	if len(id) > MaxVulnerability {
		return &fault.LimitError{What: "bytes of a vulnerability's id", Where: fmt.Sprintf("%.40q…", id), Max: MaxVulnerability, Seen: int64(len(id))}
	}
	return nil
}
