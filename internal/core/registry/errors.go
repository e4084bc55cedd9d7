package registry

import "github.com/sunya-cloud/sunya"

// The reasons of errors: the codes of the OCI distribution specification (v1.1,
// "Error Codes"), which clients compare.
const (
	BlobUnknown         = "BLOB_UNKNOWN"
	BlobUploadInvalid   = "BLOB_UPLOAD_INVALID"
	BlobUploadUnknown   = "BLOB_UPLOAD_UNKNOWN"
	DigestInvalid       = "DIGEST_INVALID"
	ManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN"
	ManifestInvalid     = "MANIFEST_INVALID"
	ManifestUnknown     = "MANIFEST_UNKNOWN"
	NameInvalid         = "NAME_INVALID"
	NameUnknown         = "NAME_UNKNOWN"
	SizeInvalid         = "SIZE_INVALID"
	TagInvalid          = "TAG_INVALID"
	Unsupported         = "UNSUPPORTED"
)

// fault is an error with one of the reasons.
func fault(code sunya.Code, reason, format string, args ...any) *sunya.Error {
	e := sunya.Errorf(code, "", format, args...)
	e.Reason = reason
	return e
}

// because gives an error about something that is missing the reason that
// clients look for, and leaves every other one as it is.
func because(err error, code sunya.Code, reason, format string, args ...any) error {
	if sunya.CodeOf(err) != code {
		return err
	}
	return fault(code, reason, format, args...)
}
