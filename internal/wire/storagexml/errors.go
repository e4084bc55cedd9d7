package storagexml

import (
	"fmt"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/signature"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// coded is an InvalidArgument that the XML API has a name of its own for.
func coded(code, format string, args ...any) error {
	return &sunya.Error{Code: sunya.InvalidArgument, Message: fmt.Sprintf(format, args...), Err: &signature.Error{Code: code}}
}

func malformed(why string) error {
	return coded("MalformedXML", "the body is not the XML that was expected: %s", why)
}

func invalidPart(number int) error {
	return coded("InvalidPart", "part %d has not arrived, or another ETag", number)
}

func classify(err error) media.Failure { return media.Classify(err, false) }
