// Package node puts the parts together: a Config becomes a running server. It
// is the only place that picks implementations, and it decides nothing else.
package node
