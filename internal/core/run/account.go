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

// CheckMembers holds for members of IAM policies.
func CheckMembers(members []string) error {
	for _, m := range members {
		if !memberRE.MatchString(m) {
			return sunya.Invalid("policy.bindings.members", "%q is not supported: use allUsers, allAuthenticatedUsers, user:EMAIL or serviceAccount:EMAIL", m)
		}
	}
	return nil
}
