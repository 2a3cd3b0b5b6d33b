// Package shell is the process that services have in common: configuration, logs, metrics,
// traces, the management port, and how it starts and stops.
package shell
