package image

import (
	"context"
	"net/http"
)

// Options say how an image is opened. The zero value and nil are good: the
// host's platform, the user's own credentials, and a network door that lets a
// registry which the user names lie anywhere, but not lead further inside.
type Options struct {
	// Platform is what to take from an index, as os/architecture[/variant], such
	// as "linux/arm64/v8". Empty means linux on the architecture of this machine
	// and, where an index has only one image, that one. An image of another
	// platform than the one asked for is an error.
	Platform string
	// PlainHTTP allows registries to be spoken to without encryption. For
	// registries on this machine that is always allowed.
	PlainHTTP bool
	// Credentials looks up what to present to a registry; nil means
	// [DockerCredentials], the files of the account that the program runs as: a
	// service that works for others passes its own lookup.
	Credentials Credentials
	// Network is the rule for connections to registries; nil means the zero one.
	Network *Network
	// Transport replaces the transport that Network describes. It should not
	// follow redirects. Origins of credentials are kept apart above it, but no
	// address is checked by this package any more.
	Transport http.RoundTripper
	// UserAgent is sent to registries; empty means "stella".
	UserAgent string
	// DockerHost is where the Docker daemon listens, "unix:///path"; empty means
	// DOCKER_HOST, or else unix:///var/run/docker.sock.
	DockerHost string
	// Limits bound what a source may make this package read; nil means the
	// defaults.
	Limits *Limits
}

// Limits bound what is read. A field that is not positive means its default.
type Limits struct {
	Manifest       int64 // bytes of a manifest or an index; 4 MiB
	Config         int64 // bytes of an image config; 8 MiB
	Layers         int   // layers of an image; 10,000
	History        int   // history entries of a config; 20,000
	IndexEntries   int   // manifests named by an index and the indexes below it; 1,000
	IndexDepth     int   // indexes below each other; 4
	ArchiveEntries int   // entries of an archive file; 100,000
	ArchiveImages  int   // images in one docker-archive; 10,000
	Spool          int64 // bytes of an archive put in a temporary file; 32 GiB
	DirEntries     int   // entries of one folder of a directory tree; 1,000,000
	Attempts       int   // tries of one request to a registry; 3
	RetryAfter     int   // seconds that a registry may ask to wait before another try; 30
}

// withDefaults fills the fields that are not set.
func (l *Limits) withDefaults() Limits {
	var v Limits
	if l != nil {
		v = *l
	}
	set(&v.Manifest, 4<<20)
	set(&v.Config, 8<<20)
	set(&v.Layers, 10_000)
	set(&v.History, 20_000)
	set(&v.IndexEntries, 1_000)
	set(&v.IndexDepth, 4)
	set(&v.ArchiveEntries, 100_000)
	set(&v.ArchiveImages, 10_000)
	set(&v.Spool, 32<<30)
	set(&v.DirEntries, 1_000_000)
	set(&v.Attempts, 3)
	set(&v.RetryAfter, 30)
	return v
}

func set[T int | int64](field *T, def T) {
	if *field <= 0 {
		*field = def
	}
}

// settings are Options after defaults.
type settings struct {
	Options
	limits   Limits
	platform platform
	explicit bool   // the platform was asked for
	actions  string // what tokens of registries are asked for
	create   bool   // a layout that is not there is made
}

func (o *Options) settings() (*settings, error) {
	s := &settings{actions: "pull"}
	if o != nil {
		s.Options = *o
	}
	s.limits = s.Limits.withDefaults()
	if s.Credentials == nil {
		s.Credentials = DockerCredentials
	}
	if s.UserAgent == "" {
		s.UserAgent = "stella"
	}
	s.platform = hostPlatform()
	if s.Platform != "" {
		p, err := parsePlatform(s.Platform)
		if err != nil {
			return nil, err
		}
		s.platform, s.explicit = p, true
	}
	return s, nil
}

// Credentials looks up what to present to a registry when it asks. It is given
// the registry's host, with port if any ("index.docker.io" for Docker Hub), and
// the repository. The zero Credential means none.
type Credentials func(ctx context.Context, registry, repository string) (Credential, error)
