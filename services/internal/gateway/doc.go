// Package gateway is the one door of an installation to the outside. It reads requests
// strictly, finds out who sends them, keeps each tenant within its limits, and passes them
// on to the systems with the identity in a signed envelope and with nothing else that a
// client may claim about itself.
//
// A request passes: framing (head.go, conn.go) → path (target.go) → route (route.go) →
// credentials, rights, tenant (gateway.go) → rates and concurrency (limit.go) → body
// (body.go) → envelope and headers (headers.go) → a healthy target (backend.go,
// upstream.go). Each refusal is a problem document (RFC 9457) with a request_id.
package gateway
