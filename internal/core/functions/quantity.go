package functions

import (
	"math"
	"regexp"
	"strconv"

	"github.com/sunya-cloud/sunya"
)

// quantityRE is a Kubernetes quantity, and gcloud's MB and GB.
var quantityRE = regexp.MustCompile(`^([0-9]{1,12}(?:\.[0-9]{1,6})?)(k|K|M|G|T|Ki|Mi|Gi|Ti|KB|MB|GB)?$`)

// units of memory. Cloud Functions counts M and G as Mi and Gi, so that 256M is
// what its documentation says it is; gcloud's MB and GB likewise.
var units = map[string]float64{
	"": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30,
}

// ParseMemory reads 256M, 512Mi, 1Gi, 256MB and returns bytes.
func ParseMemory(s string) (int64, error) {
	m := quantityRE.FindStringSubmatch(s)
	if m == nil {
		return 0, sunya.Invalid("", "%q is not an amount of memory: write 256Mi, 1Gi or 512M", s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil || n*units[m[2]] > math.MaxInt64/2 {
		return 0, sunya.Invalid("", "%q is too much memory: write 256Mi, 1Gi or 512M", s)
	}
	return int64(n * units[m[2]]), nil
}

var cpuRE = regexp.MustCompile(`^([0-9]{1,4}(?:\.[0-9]{1,6})?)(m)?$`)

// ParseCPU reads 1, 0.5, 583m and returns thousandths of a core.
func ParseCPU(s string) (int, error) {
	m := cpuRE.FindStringSubmatch(s)
	if m == nil {
		return 0, sunya.Invalid("", "%q is not a number of CPUs: write 1, 0.5 or 583m", s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, sunya.Invalid("", "%q is not a number of CPUs", s)
	}
	if m[2] == "" {
		n *= 1000
	}
	return int(math.Round(n)), nil
}
