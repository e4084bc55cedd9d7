package sunya

import (
	"fmt"
	"regexp"
)

// accountRE is loose: who exists is not known here.
var accountRE = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*@[a-z0-9.-]+\.[a-z]+$`)

// IsAccount reports whether s can be the e-mail address of a service account.
func IsAccount(s string) bool { return accountRE.MatchString(s) }

// CheckAccount is IsAccount as an error about a field.
func CheckAccount(field, email string) error {
	if !IsAccount(email) {
		return Invalid(field, "%q is not the e-mail address of a service account", email)
	}
	return nil
}

// AppAccount is the service account that App Engine has in a project.
func AppAccount(project string) string { return project + "@appspot.gserviceaccount.com" }

// ComputeAccount is the service account of what runs in a project and names
// none.
func ComputeAccount(project string) string {
	return fmt.Sprintf("%d-compute@developer.gserviceaccount.com", ProjectNumber(project))
}
