// Package auth is what every service shares at its door: who sends a request, and what it
// may do. Its sub-packages prove it: token and dpop for what comes from outside (RFC 9068,
// RFC 9449), envelope for what a gateway passes on, issuer is the authorization server.
package auth
