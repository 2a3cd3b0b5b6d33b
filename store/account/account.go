// Package account is what Authority keeps: tenants, their users and clients, the keys that
// tokens are signed with, API keys, and what was granted and revoked. It holds types and
// the interfaces of their stores; a store.Root is one, and package accounttest proves one.
//
// Secrets are never in it: passwords, client secrets, API keys, codes and refresh tokens
// are there as hashes, and private keys are sealed by whoever made them.
package account

import (
	"context"
	"time"

	"github.com/stella-ops/stella/internal/fault"
)

// The kinds of error that stores return, for errors.Is.
var (
	ErrInvalid     error = fault.Invalid
	ErrNotFound    error = fault.NotFound
	ErrConflict    error = fault.Conflict // another version, a name that is taken, a grant that was used
	ErrUnavailable error = fault.Unavailable
	ErrLimit       error = fault.Limit
)

// Tenant is an organisation or a part of one: what it has, no other sees.
type Tenant struct {
	ID       string    `json:"id"`   // as store.Root.Tenant takes it
	Name     string    `json:"name"` // for people
	Disabled bool      `json:"disabled,omitzero"`
	Version  int64     `json:"version"` // from 1; a Put names the one that it replaces, 0 for none
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}

// User is a person of one tenant.
type User struct {
	Tenant string `json:"tenant"`
	ID     string `json:"id"`    // the subject of tokens; never used again for somebody else
	Login  string `json:"login"` // unique within the tenant, compared as it is
	Name   string `json:"name,omitempty"`
	Email  string `json:"email,omitempty"`
	// Password is a hash in PHC form (argon2id); "" means that no password fits.
	Password string   `json:"-"`
	Scopes   []string `json:"scopes"` // what the user may at most
	Disabled bool     `json:"disabled,omitzero"`
	// Failures counts failed logins since the last success; Locked is until when none is tried.
	Failures int       `json:"failures,omitzero"`
	Locked   time.Time `json:"locked,omitzero"`
	Version  int64     `json:"version"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}

// Client is a program that asks for tokens.
type Client struct {
	ID     string `json:"client_id"` // unique in the installation
	Tenant string `json:"tenant"`    // "": its users may be of any tenant, and it acts for none itself
	Name   string `json:"client_name,omitempty"`
	// Public clients cannot keep a secret: the CLI, the console.
	Public bool `json:"public,omitzero"`
	// Keys is a JSON Web Key Set of public keys, for private_key_jwt; Secret a hash in PHC
	// form, for development. A confidential client has one of them.
	Keys      []byte   `json:"-"`
	Secret    string   `json:"-"`
	Redirects []string `json:"redirect_uris,omitempty"` // compared as they are; a loopback one matches any port (RFC 8252)
	Grants    []string `json:"grant_types"`             // those of RFC 6749, 8628, 8693
	Scopes    []string `json:"scopes"`                  // what its tokens may have at most
	// Plain has tokens that are bound to no key, for development; all others are bound.
	Plain    bool      `json:"plain,omitzero"`
	Disabled bool      `json:"disabled,omitzero"`
	Version  int64     `json:"version"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}

// Key signs access tokens. It signs from Active on until the next key's Active, and is
// published from Created until Ended.
type Key struct {
	ID        string    `json:"kid"`
	Algorithm string    `json:"alg"`
	Public    []byte    `json:"-"` // JSON Web Key
	Sealed    []byte    `json:"-"` // the private key, as its maker sealed it
	Created   time.Time `json:"created"`
	Active    time.Time `json:"active"`
	Ended     time.Time `json:"ended,omitzero"`
}

// APIKey stands for a subject on the routes that clients of other products know.
type APIKey struct {
	ID      string    `json:"id"` // public; the first part of what is sent
	Tenant  string    `json:"tenant"`
	Subject string    `json:"subject"`
	Name    string    `json:"name,omitempty"`
	Hash    []byte    `json:"-"` // SHA-256 of the secret part, which has 256 random bits
	Scopes  []string  `json:"scopes"`
	Expires time.Time `json:"expires"`
	Revoked time.Time `json:"revoked,omitzero"`
	Created time.Time `json:"created"`
}

// The kinds of a Grant.
const (
	KindCode    = "code"    // an authorization code (RFC 6749)
	KindRequest = "request" // a pushed authorization request (RFC 9126)
	KindDevice  = "device"  // a device code (RFC 8628)
	KindRefresh = "refresh" // a refresh token
)

// The states of a Grant. It begins as Pending where a person has to decide, else as Open.
const (
	Pending = "pending"
	Open    = "open"
	Denied  = "denied"
	Used    = "used"
)

// Grant is what a client may turn into a token.
type Grant struct {
	Hash     []byte `json:"-"` // SHA-256 of the code or token; unique
	Kind     string `json:"kind"`
	State    string `json:"state"`
	UserCode string `json:"-"` // of a device code, while it is pending; unique among those
	// Family is the same for a code and all that came of it: the reuse of one ends all.
	Family   string    `json:"family"`
	Tenant   string    `json:"tenant,omitempty"`
	Client   string    `json:"client_id"`
	User     string    `json:"user,omitempty"` // its ID; "" while nobody has decided
	Scopes   []string  `json:"scopes"`
	JKT      string    `json:"jkt,omitempty"` // thumbprint of the key that it is bound to
	Data     []byte    `json:"-"`             // what else its maker needs, JSON: redirect, challenge, nonce, …
	AuthTime time.Time `json:"auth_time,omitzero"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
}

// Revocation ends tokens before their time.
type Revocation struct {
	Seq    int64  `json:"seq"`  // by the store, growing
	Kind   string `json:"kind"` // "token" (its jti), "family", "client", "user" (tenant/id), "tenant"
	ID     string `json:"id"`
	Tenant string `json:"tenant,omitempty"`
	// Before is when tokens must have been issued to be ended by it, Until when the last of
	// them ends by itself: then it may be forgotten.
	Before time.Time `json:"before"`
	Until  time.Time `json:"until"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
}

// Entry is one line of the journal of what Authority did: logins, grants, refusals,
// changes. It has no secrets.
type Entry struct {
	Seq     int64     `json:"seq"`
	Tenant  string    `json:"tenant,omitempty"`
	Time    time.Time `json:"time"`
	Action  string    `json:"action"` // such as "token.issued", "login.failed", "client.put"
	Subject string    `json:"subject,omitempty"`
	Client  string    `json:"client_id,omitempty"`
	Detail  string    `json:"detail,omitempty"`
}

// Directory is read to find out who a caller is. It returns what is disabled, locked,
// revoked or expired as it is: look at it. Errors wrap ErrNotFound for what is not there. It is safe for concurrent use, as are the other interfaces.
type Directory interface {
	Tenant(ctx context.Context, id string) (*Tenant, error)
	User(ctx context.Context, tenant, id string) (*User, error)
	Login(ctx context.Context, tenant, login string) (*User, error)
	Client(ctx context.Context, id string) (*Client, error)
	APIKey(ctx context.Context, id string) (*APIKey, error)
	// Keys returns the signing keys that have not ended, by Active.
	Keys(ctx context.Context) ([]Key, error)
}

// Grants are kept until they expire, so that the second use of one is seen.
type Grants interface {
	// Add keeps a grant, and sets when it was Created, by the store's clock. A hash or user
	// code that is there is ErrConflict, and so is a grant that a revocation ends already,
	// as that of a family which was revoked meanwhile. It begins as Open or Pending.
	Add(ctx context.Context, g *Grant) error
	// Take uses a grant up: of any number of calls one succeeds, and has it with the State
	// Open. Where it was used before, or ended by a revocation, the error wraps ErrConflict
	// and the grant is returned with it, as Used; where it is Pending or Denied the grant is
	// returned as it is, and stays. A grant that is over is ErrNotFound.
	Take(ctx context.Context, kind string, hash []byte) (*Grant, error)
	// Pending returns the device grant of a user code that nobody has decided about.
	Pending(ctx context.Context, userCode string) (*Grant, error)
	// Decide opens or denies the pending grant of a Hash: State, Tenant, User, Scopes and
	// AuthTime of g are kept, and it has no user code any more. ErrConflict where somebody
	// has decided, ErrNotFound where it is over.
	Decide(ctx context.Context, g *Grant) error
	// Replace uses old up as Take does, and returns the same; what next makes of it is added
	// in the same transaction: the rotation of refresh tokens, or the first one of a code,
	// for what is added may be of another kind. Where next returns nil nothing is added;
	// where it fails, or what it made is not added, nothing is used up, and the grant is
	// returned with the error, as Open. It may be called more than once, and must not use
	// the store.
	Replace(ctx context.Context, kind string, old []byte, next func(*Grant) (*Grant, error)) (*Grant, error)
	// Revoke ends grants of the revocation's kind and ID that were made until Before (see
	// Revocation.Ends), and notes it for those who check tokens. A Before that is zero is
	// now, by the store's clock. It sets Seq: who has seen one number need not look at
	// smaller ones again. Of one kind and ID the last is kept, with the later of both times.
	Revoke(ctx context.Context, r *Revocation) error
	// Revocations returns those after a number, in order, and not yet over.
	Revocations(ctx context.Context, after int64, limit int) ([]Revocation, error)
}

// Admin changes what a Directory reads. A Put with Version 0 makes something new; another
// one replaces that version. What conflicts is ErrConflict, such as a login or ID that is
// taken, or a client of another tenant; a tenant that is not there is ErrNotFound. What a
// store decides, as Version and Created, is set in what was given. by is noted in the
// journal, in the same transaction.
type Admin interface {
	PutTenant(ctx context.Context, t *Tenant, by string) error
	PutUser(ctx context.Context, u *User, by string) error
	PutClient(ctx context.Context, c *Client, by string) error
	// PutKey adds a signing key, or ends one: Active and Ended alone may change, and one
	// that ends never ends later.
	PutKey(ctx context.Context, k *Key, by string) error
	// PutAPIKey adds a key, or revokes one: Revoked alone may change, and once.
	PutAPIKey(ctx context.Context, k *APIKey, by string) error
	// Failed counts a login that failed, or with ok clears the count, and returns the user
	// as it is now; lock says until when the given number of failures locks, and the later
	// of two such times stands. Where the user is locked, ok clears nothing: look at what is
	// returned, since others may have failed while this one was checked. PutUser changes
	// neither, except that another password clears both.
	Failed(ctx context.Context, tenant, id string, ok bool, lock func(failures int) time.Time) (*User, error)
	// Note writes to the journal: e as Entry.Fit has it, with the store's time and number.
	Note(ctx context.Context, e *Entry) error
}

// Lists are for administration. A list is sorted by the bytes of the ID and starts after
// one; limit is at most MaxList, and 0 is DefaultList. A tenant "" means what belongs to
// none: clients and entries. An entry may become visible after one with a greater number.
type Lists interface {
	Tenants(ctx context.Context, after string, limit int) ([]Tenant, error)
	Users(ctx context.Context, tenant, after string, limit int) ([]User, error)
	Clients(ctx context.Context, tenant, after string, limit int) ([]Client, error)
	APIKeys(ctx context.Context, tenant, after string, limit int) ([]APIKey, error)
	Journal(ctx context.Context, tenant string, after int64, limit int) ([]Entry, error)
	// Purge forgets grants and revocations that are over, and entries of the journal
	// before a time, and returns how many.
	Purge(ctx context.Context, journal time.Time) (int, error)
}

// Store is all of it.
type Store interface {
	Directory
	Grants
	Admin
	Lists
}
