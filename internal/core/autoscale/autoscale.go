// Package autoscale decides how many instances a revision should have. It is
// pure: same arguments, same answer; the caller brings the time.
package autoscale
