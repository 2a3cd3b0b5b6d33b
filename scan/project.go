package scan

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"time"
)

// MaxProject bounds the name and the version of a project, in bytes.
const MaxProject = 255

// ProjectName is a version of something that is built, as clients of other products name
// what they upload an SBOM of.
type ProjectName struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Display is the name for people: NAME@VERSION.
func (p *ProjectName) Display() string {
	if p.Version == "" {
		return p.Name
	}
	return p.Name + "@" + p.Version
}

// Project is a version of something with the newest scan of it.
type Project struct {
	ProjectName
	ID      string    // ProjectID of the tenant and the name
	ScanID  string    // of the newest submission
	Updated time.Time // when that was submitted
}

// Projects finds the scans of one tenant that were submitted with a Project. A store is
// one. It is safe for concurrent use.
type Projects interface {
	// Project returns a project by its ID, or an error wrapping ErrNotFound.
	Project(ctx context.Context, id string) (*Project, error)
	// Projects returns a part of all projects in the order of name and version, and how
	// many there are. limit is 1 to 1000.
	Projects(ctx context.Context, skip, limit int) (list []Project, total int, err error)
	// Upload returns the scan that an UploadToken is of, or an error wrapping ErrNotFound.
	Upload(ctx context.Context, token string) (scanID string, err error)
}

// uuidSpace is the name space of the UUIDs below: that of URLs (RFC 9562, 6.6) with
// the name https://stella-ops.org/uuid.
var uuidSpace = uuid5([16]byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}, "https://stella-ops.org/uuid")

// ProjectID returns the UUID of a project: equal for equal names of one tenant, and
// saying nothing about them.
func ProjectID(tenant string, p ProjectName) string {
	return DerivedID("project", tenant, p.Name, p.Version)
}

// UploadToken returns the UUID that a submission is known by to clients of projects.
func UploadToken(tenant, scanID string) string { return DerivedID("upload", tenant, scanID) }

// DerivedID returns a UUID of version 5 (RFC 9562, 5.5) that stands for a list of
// strings, each without a NUL.
func DerivedID(parts ...string) string {
	name := ""
	for _, p := range parts {
		name += p + "\x00"
	}
	id := uuid5(uuidSpace, name)
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func uuid5(space [16]byte, name string) (id [16]byte) {
	h := sha1.Sum(append(space[:], name...)) // what the standard asks for; nothing rests on its strength
	copy(id[:], h[:])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}
