// Package e2e drives the real binary the way its users do: the command line,
// HTTP, and kill -9. Run it with make e2e.
package e2e
