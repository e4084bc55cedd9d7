// Package front is what every listener has in common: its roles, the table of
// routes with their permissions, and who may call.
package front
