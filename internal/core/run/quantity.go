package run

import (
	"math"
	"regexp"
	"strconv"

	"github.com/sunya-cloud/sunya"
)

// quantityRE is a Kubernetes quantity in its usual forms.
var quantityRE = regexp.MustCompile(`^([0-9]{1,18}(?:\.[0-9]{1,9})?)(k|M|G|T|Ki|Mi|Gi|Ti)?$`)

// units of memory. Here M is a million, and Mi is not (Kubernetes, "Resource
// units").
var units = map[string]float64{
	"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}

// ParseMemory reads 512Mi, 1Gi, 512M and returns bytes.
func ParseMemory(s string) (int64, error) {
	m := quantityRE.FindStringSubmatch(s)
	if m == nil {
		return 0, sunya.Invalid("", "%q is not an amount of memory: write 512Mi, 1Gi or 512M", s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil || n*units[m[2]] > math.MaxInt64/2 {
		return 0, sunya.Invalid("", "%q is too much memory: write 512Mi, 1Gi or 512M", s)
	}
	return int64(n * units[m[2]]), nil
}

var cpuRE = regexp.MustCompile(`^([0-9]{1,6}(?:\.[0-9]{1,6})?)(m)?$`)

// ParseCPU reads 1, 0.5, 1000m and returns thousandths of a core.
func ParseCPU(s string) (int, error) {
	m := cpuRE.FindStringSubmatch(s)
	if m == nil {
		return 0, sunya.Invalid("", "%q is not a number of CPUs: write 1, 0.5 or 1000m", s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, sunya.Invalid("", "%q is not a number of CPUs: write 1, 0.5 or 1000m", s)
	}
	if m[2] == "" {
		n *= 1000
	}
	return int(math.Round(n)), nil
}
