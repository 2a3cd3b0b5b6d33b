// Package flows runs the platform as operators do: real processes, as one or as many, over
// real engines, driven through the gateway with tokens and proofs, and looked at from
// outside. It goes through the six flows of the documented topology.
package flows
