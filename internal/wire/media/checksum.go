package media

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// ETag changes with every generation and metageneration.
func ETag(generation, metageneration int64) string {
	b := binary.AppendUvarint(nil, uint64(generation))
	return base64.StdEncoding.EncodeToString(binary.AppendUvarint(b, uint64(metageneration)))
}

// CRC32C is the checksum as Storage writes it: big-endian, base64.
func CRC32C(o *objects.Object) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, o.CRC32C))
}

// StorageClass is the class of an object as the APIs name it.
func StorageClass(o *objects.Object) string { return cmp.Or(o.Properties.StorageClass, "STANDARD") }

// Hash is both checksums as X-Goog-Hash has them; an object that was put together
// of others has no MD5.
func Hash(o *objects.Object) string {
	out := "crc32c=" + CRC32C(o)
	if len(o.MD5) > 0 {
		out += ",md5=" + base64.StdEncoding.EncodeToString(o.MD5)
	}
	return out
}

// Checksums reads what the uploader computed: the two fields of a resource.
func Checksums(crc, md5 string) (objects.Checksums, error) {
	var c objects.Checksums
	if crc != "" {
		b, err := base64.StdEncoding.DecodeString(crc)
		if err != nil || len(b) != 4 {
			return c, sunya.Invalid("crc32c", "%q is not four bytes in base64", crc)
		}
		n := binary.BigEndian.Uint32(b)
		c.CRC32C = &n
	}
	if md5 != "" {
		b, err := decodeMD5(md5)
		if err != nil || len(b) != 16 {
			return c, sunya.Invalid("md5Hash", "%q is not sixteen bytes in base64", md5)
		}
		c.MD5 = b
	}
	return c, nil
}

// decodeMD5 takes hex too, which some old clients send.
func decodeMD5(s string) ([]byte, error) {
	if len(s) == 32 {
		return hex.DecodeString(s)
	}
	return base64.StdEncoding.DecodeString(s)
}

// HeaderChecksums reads X-Goog-Hash (crc32c=…,md5=…) and Content-MD5.
func HeaderChecksums(h http.Header) (objects.Checksums, error) {
	crc, md5 := "", h.Get("Content-Md5")
	for _, line := range h.Values("X-Goog-Hash") {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			switch name {
			case "crc32c":
				crc = value
			case "md5":
				md5 = value
			}
		}
	}
	return Checksums(crc, md5)
}
