// Package activator gives requests their slot in an instance, and holds them
// in arrival order while none is free.
package activator
