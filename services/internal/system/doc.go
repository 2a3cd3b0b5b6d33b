// Package system wires each system of the platform from the packages of the SDK: an API,
// loops, or both. A process has one of them, or all. Nothing here decides anything.
package system
