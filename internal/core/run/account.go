package run

import "github.com/sunya-cloud/sunya"

// CheckAccount reports whether something can be the e-mail address of a service
// account; field is named in errors.
func CheckAccount(field, email string) error {
	if !accountRE.MatchString(email) {
		return sunya.Invalid(field, "%q is not the e-mail address of a service account", email)
	}
	return nil
}
