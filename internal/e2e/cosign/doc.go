// Package cosign holds tests that run the real cosign (https://github.com/sigstore/cosign)
// against registries that stella writes to and reads from, in both directions. Their
// log shows the commands. Nothing outside of this machine is asked: cosign is given no
// way to get there.
package cosign
