package logs_test

import (
	"fmt"

	"github.com/sunya-cloud/sunya/internal/core/logs"
)

func ExampleParseFilter() {
	f, err := logs.ParseFilter(`resource.type=gae_app severity>=ERROR -health`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.Match(&logs.Entry{Resource: logs.Resource{Type: "gae_app"}, Severity: logs.Critical, Text: "out of memory"}))
	_, err = logs.ParseFilter(`severity>=LOUD`)
	fmt.Println(err)
	// Output:
	// true
	// filter: column 11: "LOUD" is not a severity: use DEFAULT, DEBUG, INFO, NOTICE, WARNING, ERROR, CRITICAL, ALERT, EMERGENCY or a number from 0 to 800
}
