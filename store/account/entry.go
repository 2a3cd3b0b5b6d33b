package account

import (
	"fmt"
	"time"
)

// PutEntry is what a store notes where something is put: "user.put" of a tenant, by
// somebody, who is the subject. id is what was put where it is no client; version is 0 for
// what has none, and off says that it is disabled, revoked or ended.
func PutEntry(what, tenant, id, client string, version int64, off bool, by string) Entry {
	e := Entry{Tenant: tenant, Action: what + ".put", Subject: by, Client: client, Detail: id}
	if version > 0 {
		e.Detail = fmt.Sprintf("%s version %d", id, version)
		if id == "" {
			e.Detail = fmt.Sprintf("version %d", version)
		}
	}
	if off {
		e.Detail += ", ended"
	}
	return e
}

// LockEntry is what a store notes where failed logins lock a user.
func LockEntry(u *User) Entry {
	return Entry{Tenant: u.Tenant, Action: "user.locked", Subject: u.ID, Detail: fmt.Sprintf("after %d failed logins, until %s", u.Failures, u.Locked.UTC().Format(time.RFC3339))}
}

// RevokeEntry is what a store notes where something is revoked.
func RevokeEntry(r *Revocation) Entry {
	e := Entry{Tenant: r.Tenant, Action: "revoke." + r.Kind, Subject: r.By, Detail: r.ID}
	if r.Reason != "" {
		e.Detail += ": " + r.Reason
	}
	return e
}
