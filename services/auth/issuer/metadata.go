package issuer

import (
	"maps"
	"net/http"
	"slices"

	"github.com/stella-ops/stella/services/auth"
	"github.com/stella-ops/stella/services/auth/internal/jws"
)

// metadata describes the server (RFC 8414). Every address in it is made of Issuer, and of
// nothing in the request.
func (s *Server) metadata(x *exchange) error {
	methods := []string{authJWT, authBasic, authPost}
	algs := jws.Algorithms()
	x.w.Header().Del("Pragma")
	x.w.Header().Set("Cache-Control", "public, max-age=300")
	return x.answer(http.StatusOK, map[string]any{
		"issuer":                                                   s.Issuer,
		"authorization_endpoint":                                   s.Issuer + "/authorize",
		"token_endpoint":                                           s.Issuer + "/token",
		"pushed_authorization_request_endpoint":                    s.Issuer + "/par",
		"device_authorization_endpoint":                            s.Issuer + "/device_authorization",
		"introspection_endpoint":                                   s.Issuer + "/introspect",
		"revocation_endpoint":                                      s.Issuer + "/revoke",
		"registration_endpoint":                                    s.Issuer + "/register",
		"jwks_uri":                                                 s.Issuer + "/jwks",
		"scopes_supported":                                         slices.Sorted(maps.Keys(auth.Scopes())),
		"response_types_supported":                                 []string{"code"},
		"response_modes_supported":                                 []string{"query"},
		"grant_types_supported":                                    allGrants(),
		"code_challenge_methods_supported":                         []string{"S256"},
		"token_endpoint_auth_methods_supported":                    append([]string{authNone}, methods...),
		"token_endpoint_auth_signing_alg_values_supported":         algs,
		"introspection_endpoint_auth_methods_supported":            methods,
		"introspection_endpoint_auth_signing_alg_values_supported": algs,
		"revocation_endpoint_auth_methods_supported":               append([]string{authNone}, methods...),
		"revocation_endpoint_auth_signing_alg_values_supported":    algs,
		"dpop_signing_alg_values_supported":                        s.proofs.AlgorithmList(),
		"authorization_response_iss_parameter_supported":           true,
		"subject_types_supported":                                  []string{"public"},
	})
}
