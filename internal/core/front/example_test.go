package front_test

import (
	"fmt"

	"github.com/sunya-cloud/sunya/internal/core/front"
)

// A listener on loopback is for everything; any other has to choose.
func ExampleParseSpec() {
	for _, s := range []string{"127.0.0.1:8080", "0.0.0.0:443,roles=apps", "0.0.0.0:443"} {
		spec, err := front.ParseSpec(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(spec)
	}
	// Output:
	// 127.0.0.1:8080,roles=apps+api+console
	// 0.0.0.0:443,roles=apps
	// 0.0.0.0:443 is not a loopback address: say what it is for with ,roles=apps or ,roles=api+console
}
