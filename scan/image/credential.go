package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/stella-ops/stella/internal/fault"
)

// Credential is what a registry asks for. It prints as "[redacted]".
type Credential struct {
	Username, Password string
	// IdentityToken is exchanged for a token at the registry's realm (OAuth 2).
	IdentityToken string
	// RegistryToken is sent to the registry as it is.
	RegistryToken string
}

// String hides the values.
func (Credential) String() string { return "[redacted]" }

// GoString hides the values.
func (Credential) GoString() string { return "image.Credential{[redacted]}" }

// MarshalText hides the values, for loggers and encoders.
func (Credential) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// DockerCredentials reads the user's own files: config.json below DOCKER_CONFIG
// or ~/.docker, else REGISTRY_AUTH_FILE, else containers/auth.json, with the
// credential helpers they name. An entry for the repository goes before one for
// its registry. No entry, or no file, means no credentials.
func DockerCredentials(ctx context.Context, registry, repository string) (Credential, error) {
	repo, err := name.NewRepository(registry + "/" + repository)
	if err != nil {
		return Credential{}, fmt.Errorf("credentials for %s: %w", registry, fault.Invalid)
	}
	auth, err := authn.Resolve(ctx, authn.DefaultKeychain, repo)
	if err != nil {
		return Credential{}, fmt.Errorf("credentials for %s: %s: %w", registry, helperError(err), fault.Unauthenticated)
	}
	cfg, err := authn.Authorization(ctx, auth)
	if err != nil {
		return Credential{}, fmt.Errorf("credentials for %s: the stored entry is unusable: %w", registry, fault.Unauthenticated)
	}
	return Credential{
		Username: cfg.Username, Password: cfg.Password,
		IdentityToken: cfg.IdentityToken, RegistryToken: cfg.RegistryToken,
	}, nil
}

// NoCredentials is a lookup that never has any.
func NoCredentials(context.Context, string, string) (Credential, error) { return Credential{}, nil }

// helperError is the reason of a failed lookup without what a helper printed.
func helperError(err error) string {
	s, _, _ := strings.Cut(err.Error(), ", out:")
	return s
}

// authenticator is the credential as the registry library takes it.
func (c Credential) authenticator() authn.Authenticator {
	if c == (Credential{}) {
		return authn.Anonymous
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: c.Username, Password: c.Password,
		IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken,
	})
}
