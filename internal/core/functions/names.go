package functions

import (
	"crypto/sha256"
	"encoding/hex"
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

// revisionName is the name of the nth revision: SERVICE-00001-abc.
func (k Key) revisionName(n int, suffix string) string {
	return fmt.Sprintf("%s/revisions/%s-%05d-%s", k.ServiceName(), k.ID, n, suffix)
}

// ShortRevision is the last part of a revision's name, as K_REVISION has it.
func ShortRevision(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

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

// longLabel is the host of a function whose own name another one has.
func (k Key) longLabel() string {
	sum := sha256.Sum256([]byte(k.ServiceName()))
	tail := "-" + hex.EncodeToString(sum[:4])
	return strings.TrimRight(k.ID[:min(len(k.ID), 63-len(tail))], "-") + tail
}

// SourceBucket is where sources are uploaded.
func SourceBucket(project, location string) string {
	return fmt.Sprintf(sourceBuckets+"%d.%s.cloudfunctions.appspot.com", sunya.ProjectNumber(project), location)
}
