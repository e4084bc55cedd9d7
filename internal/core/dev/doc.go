// Package dev decides what a developer's loop does: which service a changed
// file belongs to, when changes become a deploy, what serves while the newest
// source is broken, and where in the source a failure is.
package dev
