package sunya_test

import (
	"testing"

	"github.com/sunya-cloud/sunya"
)

func TestCheckAccount(t *testing.T) {
	for email, ok := range map[string]bool{
		"app@demo.iam.gserviceaccount.com": true,
		sunya.AppAccount("demo"):           true,
		sunya.ComputeAccount("demo"):       true,
		"1@a.b":                            true,
		"":                                 false,
		"app":                              false,
		"@a.b":                             false,
		"app@demo":                         false,
		"App@demo.com":                     false,
		"a@b@c.de":                         false,
		"app@demo.com\n":                   false,
		"serviceAccount:app@demo.com":      false,
	} {
		err := sunya.CheckAccount("service_account", email)
		if (err == nil) != ok || sunya.IsAccount(email) != ok {
			t.Errorf("CheckAccount(%q) = %v", email, err)
		}
		if err != nil && sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("code = %v", sunya.CodeOf(err))
		}
	}
}
