package functions

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// Key names a function.
type Key struct {
	Project  string
	Location string
	ID       string
}

// Name returns the resource name of the function.
func (k Key) Name() string { return sunya.LocationName(k.Project, k.Location) + "/functions/" + k.ID }

// ServiceName returns the name of the function's service, which is also its name
// in the serving core.
func (k Key) ServiceName() string {
	return sunya.LocationName(k.Project, k.Location) + "/services/" + k.ID
}

var (
	idRE    = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
	entryRE = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_.$-]{0,199}$`)
)

// Check reports whether a function can have this name.
func (k Key) Check() error {
	if err := sunya.CheckLocation(k.Project, k.Location); err != nil {
		return err
	}
	if !idRE.MatchString(k.ID) || strings.Contains("-"+k.ID+"-", "-dot-") || strings.Contains(k.ID, "---") {
		return sunya.Invalid("function_id", "%q is not the name of a function: use 1 to 63 lower-case letters, digits and dashes, beginning with a letter, without -dot- and ---", k.ID)
	}
	return nil
}

// SourceBucket is where sources are uploaded.
func SourceBucket(project, location string) string {
	return fmt.Sprintf(sourceBuckets+"%d.%s.cloudfunctions.appspot.com", sunya.ProjectNumber(project), location)
}
