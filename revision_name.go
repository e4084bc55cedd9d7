package sunya

import (
	"fmt"
	"slices"
	"strings"
)

// RevisionID is what Cloud Run calls the nth revision of a service:
// SERVICE-00001-abc. The letters differ with the deployment.
func RevisionID(service string, n int, deployment string) string {
	const letters = "bcdfghjkmnpqrstvwxz"
	b := []byte("bbb")
	for i, c := range slices.Backward([]byte(ShortID(deployment))) {
		b[i%3] = letters[(int(b[i%3])+int(c))%len(letters)]
	}
	return fmt.Sprintf("%s-%05d-%s", service, n, b)
}

// ShortRevision is the last part of a revision's name, as K_REVISION has it.
func ShortRevision(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
